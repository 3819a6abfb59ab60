"""Image files -> one batch of pixels on a GPU, which decodes and resizes most of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch

from moderate_cli.arrays import UPRIGHT
from moderate_cli.images.gpu_files import AREA, LENGTH, START, Batch, File, Held, read_file
from moderate_cli.images.nvjpeg import Decoder, as_tensor
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.images.resizing import resize_and_crop_all
from moderate_cli.images.turning import turned
from moderate_cli.networks.devices import is_gpu_fault
from moderate_cli.networks.streams import (
    Event,
    event_now,
    let_wait,
    moved,
    new_stream,
    wait_for,
    working_in,
)
from moderate_cli.networks.table import EXIF, Preprocessing

# Pixels that are decoded together: 256 photos of 500 x 375, three bytes each; and parts of so many
# that may be in the memory of the GPU at once.
TOGETHER, PARTS = 1 << 26, 4
AGAIN = 4  # threads that read files for which there was no room; a GPU decodes large ones slowly


class Decoded(NamedTuple):
    """A batch of decoded images.

    Attributes
    ----------
    pixels
        uint8 (n, 3, crop, crop) on the decoder's device; zeros of unreadable images.
    ready
        What the stream that uses the pixels has to wait for; None on a processor. Until that stream
        has used them, they are to be kept.
    images
        Facts about those that were read here, by their positions, without pixels.
    seconds
        Time to decode.
    """

    pixels: torch.Tensor
    ready: Event | None
    images: dict[int, ReadImage]
    seconds: float


class BatchDecoder:
    """Turns files into batches of pixels, with a thread for each step.

    One decodes, and mostly waits for the GPU. The next one tells the GPU to resize, and goes on;
    the last one waits until that is done, as only then the memory of a part may be used again: the
    decoder works in a stream of its own, which waits for no other. At most `PARTS` parts of
    `TOGETHER` pixels are in the GPU's memory. Close it after use.

    Parameters
    ----------
    decoder
        The decoder of the device.
    preprocessing
        Preprocessing of the backbone.
    max_pixels
        Images with more pixels are unreadable.
    """

    def __init__(self, decoder: Decoder, preprocessing: Preprocessing, max_pixels: int) -> None:
        self._decoder, self._preprocessing, self._max = decoder, preprocessing, max_pixels
        self._decoding, self._resizing = (new_stream(decoder.device) for _ in range(2))
        self._decodes, self._resizes, self._ends = (ThreadPoolExecutor(1) for _ in range(3))
        self._reads = ThreadPoolExecutor(AGAIN)
        self._room = threading.Semaphore(PARTS)

    def close(self) -> None:
        """Drop what has not begun, and end the threads."""
        self._decodes.shutdown(wait=True, cancel_futures=True)  # first: it waits for the others
        self._resizes.shutdown(wait=True, cancel_futures=True)
        for pool in (self._ends, self._reads):  # what was begun is used until it ends
            pool.shutdown(wait=True)

    def begin(self, read: Callable[[], Batch]) -> Callable[[], Decoded]:
        """Begin on a batch, which `read` returns; the result waits until the GPU has been told."""
        begun = self._decodes.submit(lambda: self._decode(read()))
        return lambda: begun.result().decoded()

    @torch.inference_mode()
    def _decode(self, batch: Batch) -> _Begun:
        """Decode a batch, and begin to resize it."""
        start = time.perf_counter()
        shape = (len(batch.names), 3, self._preprocessing.crop, self._preprocessing.crop)
        with working_in(self._resizing):
            pixels = torch.zeros(shape, dtype=torch.uint8, device=self._decoder.device)
        begun = _Begun(pixels, [], {})
        memory, contents = torch.from_numpy(batch.memory), batch.contents.tolist()
        for part in _together([one[AREA] for one in contents]):
            held = {
                at: memory.narrow(0, contents[at][START], contents[at][LENGTH])
                for at in part
                if contents[at][LENGTH]
            }
            held |= self._read_again(batch, [at for at in part if at not in held], begun)
            if held:
                self._in_room(batch, held, begun)
        ready = {
            at: memory.narrow(0, one[START], math.prod(shape[1:])).view(shape[1:])
            for at, one in enumerate(contents)
            if one[START] >= 0 and not one[LENGTH]
        }
        ready |= {at: one.pixels for at, one in begun.images.items() if one.pixels is not None}
        if ready:
            stacked = torch.stack(list(ready.values()))
            begun.pieces.append(self._resizes.submit(self._put, begun, list(ready), stacked))
        return begun._replace(seconds=time.perf_counter() - start)

    def _read_again(
        self, batch: Batch, places: list[int], begun: _Begun
    ) -> dict[int, torch.Tensor]:
        """Read files for which there was no room; return the bytes of those that a GPU decodes."""

        def read(at: int) -> File:
            return read_file(batch.names[at], self._preprocessing, batch.source, self._max)

        files = dict(zip(places, self._reads.map(read, places), strict=True))
        begun.images.update({at: file.image for at, file in files.items()})
        return {at: as_tensor(one.content) for at, one in files.items() if one.content is not None}

    def _in_room(self, batch: Batch, contents: dict[int, torch.Tensor], begun: _Begun) -> None:
        """Decode one part once there is room, and have it resized."""
        self._room.acquire()
        try:
            with working_in(self._decoding):
                decoded = self._decoded(contents)
                ready = event_now(self._decoder.device)
        except BaseException:
            self._room.release()
            raise
        tags = [self._tag(batch, at, begun) for at in decoded]
        resize = self._resizes.submit(self._resize, decoded, tags, ready, contents, begun)
        begun.pieces.append(resize)
        for at in contents.keys() - decoded.keys():
            # The reader of the processor has the last word.
            again = begun.images.get(at)
            stat = again.stat if again is not None else tuple(batch.stats[at].tolist())
            held = Held(contents[at].numpy().tobytes(), stat)
            begun.images[at] = read_image(batch.names[at], self._preprocessing, held, self._max)

    def _tag(self, batch: Batch, at: int, begun: _Begun) -> int:
        """Return the tag by which an image is turned."""
        if self._preprocessing.orientation != EXIF:
            return UPRIGHT
        return begun.images[at].orientation if at in begun.images else int(batch.tags[at])

    def _decoded(self, contents: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        """Decode files together; those that cannot be decoded are missing in the result."""
        try:
            return dict(zip(contents, self._decoder(list(contents.values())), strict=True))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # which does not name the file
            if is_gpu_fault(error):
                raise
        if len(contents) == 1:
            return {}
        places = list(contents)
        halves = places[: len(places) // 2], places[len(places) // 2 :]
        first, second = (self._decoded({at: contents[at] for at in half}) for half in halves)
        return first | second

    @torch.inference_mode()
    def _resize(
        self,
        decoded: dict[int, torch.Tensor],
        tags: list[int],
        ready: Event | None,
        contents: dict[int, torch.Tensor],
        begun: _Begun,
    ) -> Event | None:
        """Turn and resize decoded images, with their tags, into their places of the batch."""
        try:
            with working_in(self._resizing):
                let_wait(ready)
                images = [turned(*one) for one in zip(decoded.values(), tags, strict=True)]
                resized = resize_and_crop_all(images, self._preprocessing, self._decoder.device)
                done = self._placed(begun, list(decoded), resized)
        except BaseException:
            self._room.release()
            raise
        self._ends.submit(self._end, done, decoded, contents)
        return done

    @torch.inference_mode()
    def _put(self, begun: _Begun, places: list[int], pixels: torch.Tensor) -> Event | None:
        """Put pixels, in main memory, into their places of the batch."""
        with working_in(self._resizing):
            return self._placed(begun, places, moved(pixels, self._decoder.device))

    def _placed(self, begun: _Begun, places: list[int], pixels: torch.Tensor) -> Event | None:
        device = self._decoder.device
        if not places:
            return event_now(device)
        begun.pixels.index_copy_(0, moved(torch.tensor(places, dtype=torch.int64), device), pixels)
        return event_now(device)

    def _end(self, done: Event | None, *_kept: object) -> None:
        """Wait until a part is resized; until then, its images and files are kept."""
        try:
            wait_for(done)
        finally:
            self._room.release()


class _Begun(NamedTuple):
    """A batch whose pieces are being resized, each to an event; images that were read here."""

    pixels: torch.Tensor
    pieces: list[Future[Event | None]]
    images: dict[int, ReadImage]
    seconds: float = 0.0

    def decoded(self) -> Decoded:
        """Wait until all pieces are begun; the stream that resizes them ends with the last one."""
        ready = [piece.result() for piece in self.pieces]
        images = {at: image._replace(pixels=None) for at, image in self.images.items()}
        return Decoded(self.pixels, ready[-1] if ready else None, images, self.seconds)


def _together(areas: Sequence[int]) -> list[list[int]]:
    """Divide the files that a GPU decodes into parts of at most `TOGETHER` pixels.

    Parameters
    ----------
    areas
        Pixels of each file; 0 if no GPU decodes it.
    """
    parts: list[list[int]] = []
    room = 0
    for at, area in enumerate(areas):
        if not area:
            continue
        room -= area
        if room < 0 or not parts:
            parts.append([])
            room = TOGETHER - area
        parts[-1].append(at)
    return parts
