"""Image files -> one batch of pixels on a GPU, which decodes and resizes most of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch

from moderate_cli.arrays import UPRIGHT
from moderate_cli.images.gpu_files import File, Held
from moderate_cli.images.nvjpeg import Decoder, as_tensor
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.images.resizing import resize_and_crop_all
from moderate_cli.images.turning import turned
from moderate_cli.networks.devices import is_gpu_fault
from moderate_cli.networks.streams import (
    Event,
    event_now,
    let_wait,
    new_stream,
    wait_for,
    working_in,
)
from moderate_cli.networks.table import EXIF, Preprocessing

# Pixels that are decoded together: 256 photos of 500 x 375, three bytes each; and parts of so many
# that may be in the memory of the GPU at once.
TOGETHER, PARTS = 1 << 26, 3


class Decoded(NamedTuple):
    """A batch of decoded images.

    Attributes
    ----------
    pixels
        uint8 (m, 3, crop, crop) on the decoder's device, of the readable images, in their order;
        None if there are none.
    images
        Fingerprint of each image, readable or not, without its pixels.
    readable
        Positions of the readable images.
    seconds
        Time to decode.
    kept
        Memory that the pixels are copied from, of another stream; to keep as long as they are used.
    """

    pixels: torch.Tensor | None
    images: list[ReadImage]
    readable: list[int]
    seconds: float
    kept: list[torch.Tensor]


class BatchDecoder:
    """Turns files into batches of pixels: a thread decodes, and another one resizes.

    The former mostly waits for the GPU, the latter mostly tells it what to do. On a GPU each has a
    stream of its own. At most `PARTS` parts of `TOGETHER` pixels are decoded and not yet resized.
    Close it after use.

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
        self._decodes, self._resizes = (ThreadPoolExecutor(1) for _ in range(2))
        self._room = threading.Semaphore(PARTS)

    def close(self) -> None:
        """Drop what has not begun, and end the threads."""
        for pool in (self._decodes, self._resizes):  # the former may wait for the latter
            pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, read: Callable[[], Sequence[File]]) -> Callable[[], Decoded]:
        """Begin on files, which `read` returns; the result waits until they are decoded."""
        begun = self._decodes.submit(self._decode, read)
        return lambda: self._joined(begun.result())

    @torch.inference_mode()
    def _decode(self, read: Callable[[], Sequence[File]]) -> _Begun:
        files = read()
        begun = time.perf_counter()
        images = [file.image for file in files]
        pieces: list[Future[torch.Tensor]] = []
        places: list[int] = []
        for part in _together(files):
            contents = [as_tensor(content) for at in part if (content := files[at].content)]
            found = self._in_room(contents, [images[at].orientation for at in part], pieces)
            places += [part[at] for at in found]
            for at in (part[at] for at in range(len(part)) if at not in found):
                # The reader of the processor has the last word.
                images[at] = self._read(files[at])
        return _Begun(images, pieces, places, time.perf_counter() - begun)

    def _in_room(
        self, contents: list[torch.Tensor], tags: list[int], pieces: list[Future[torch.Tensor]]
    ) -> list[int]:
        """Decode one part once there is room, and have it resized; return what was decoded."""
        self._room.acquire()
        try:
            with working_in(self._decoding):
                found = self._decoded(contents)
                ready = event_now(self._decoder.device)
        except BaseException:
            self._room.release()
            raise
        turns = self._preprocessing.orientation == EXIF
        decoded = [(one, tags[at] if turns else UPRIGHT) for at, one in found.items()]
        pieces.append(self._resizes.submit(self._resize, decoded, ready, contents))
        return list(found)

    def _decoded(self, contents: list[torch.Tensor]) -> dict[int, torch.Tensor]:
        """Decode files together; those that cannot be decoded are missing in the result."""
        try:
            return dict(enumerate(self._decoder(contents)))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # which does not name the file
            if is_gpu_fault(error):
                raise
        if len(contents) == 1:
            return {}
        half = len(contents) // 2
        second = self._decoded(contents[half:])
        return self._decoded(contents[:half]) | {half + at: one for at, one in second.items()}

    @torch.inference_mode()
    def _resize(
        self,
        decoded: list[tuple[torch.Tensor, int]],
        ready: Event | None,
        _contents: list[torch.Tensor],
    ) -> torch.Tensor:
        """Turn and resize decoded images, with their tags.

        They, and the bytes of their files, are kept until it is done.
        """
        try:
            with working_in(self._resizing):
                let_wait(ready)
                images = [turned(one, tag) for one, tag in decoded]
                pixels = resize_and_crop_all(images, self._preprocessing, self._decoder.device)
                done = event_now(self._decoder.device)
            wait_for(done)
            return pixels
        finally:
            self._room.release()

    def _read(self, file: File) -> ReadImage:
        assert file.content is not None
        held = Held(file.content, file.image.stat)
        return read_image(file.path, self._preprocessing, held, self._max)

    @torch.inference_mode()
    def _joined(self, begun: _Begun) -> Decoded:
        """Join what was decoded there and here, in order."""
        pieces, places = [piece.result() for piece in begun.pieces], list(begun.places)
        here = {at: one.pixels for at, one in enumerate(begun.images) if one.pixels is not None}
        if here:
            pieces.append(_moved(torch.stack(list(here.values())), self._decoder.device))
            places += here
        images = [image._replace(pixels=None) for image in begun.images]
        if not places:
            return Decoded(None, images, [], begun.seconds, [])
        pixels, order = torch.cat(pieces), sorted(range(len(places)), key=places.__getitem__)
        if places != sorted(places):
            pixels = pixels[_moved(torch.tensor(order), pixels.device)]
        return Decoded(pixels, images, sorted(places), begun.seconds, pieces)


class _Begun(NamedTuple):
    """A batch whose pieces are being resized; the places of their images, in the same order."""

    images: list[ReadImage]
    pieces: list[Future[torch.Tensor]]
    places: list[int]
    seconds: float


def _together(files: Sequence[File]) -> list[list[int]]:
    """Divide the files that a GPU decodes into parts of at most `TOGETHER` pixels."""
    parts: list[list[int]] = []
    room = 0
    for at, file in enumerate(files):
        if file.content is None:
            continue
        room -= file.area
        if room < 0 or not parts:
            parts.append([])
            room = TOGETHER - file.area
        parts[-1].append(at)
    return parts


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device, without waiting for its earlier work."""
    return tensor.to(device, non_blocking=True)
