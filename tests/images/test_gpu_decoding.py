import contextlib
import io
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch
from decoders import OnProcessor, batch_of
from PIL import Image

from moderate_cli.dataset.sources import FILES, Files
from moderate_cli.embedding.engines import packing
from moderate_cli.errors import ArgumentError
from moderate_cli.images import gpu_decoding, nvjpeg
from moderate_cli.images.gpu_decoding import BatchDecoder
from moderate_cli.images.gpu_files import ABSENT, AREA, read_file
from moderate_cli.images.nvjpeg import find_decoder
from moderate_cli.images.preprocessing import read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, Preprocessing

HOW = Preprocessing(20, 16, "bicubic", (0.0,) * 3, (1.0,) * 3, "gpu (a stand-in)")
ORDINARY = ("small.jpg", "plain.jpg", "gray.jpg", "rotated.jpg", "wide.jpg", "tall.jpg")


@pytest.fixture(autouse=True)
def _quiet():
    with without_warnings():
        yield


@pytest.fixture
def folder(tmp_path):
    """Ordinary JPEGs, all others, and files that are no pictures."""
    rng = np.random.default_rng(0)

    def picture(height, width):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        return coarse.resize((width, height), Image.Resampling.BICUBIC)

    exif = Image.Exif()
    exif[0x0112] = 6
    picture(9, 12).save(tmp_path / "small.jpg")
    picture(40, 60).save(tmp_path / "plain.jpg")
    picture(40, 60).convert("L").save(tmp_path / "gray.jpg")
    picture(40, 60).save(tmp_path / "rotated.jpg", exif=exif)
    picture(30, 200).save(tmp_path / "wide.jpg", subsampling=0)
    picture(200, 30).save(tmp_path / "tall.jpg")
    picture(40, 60).save(tmp_path / "progressive.jpg", progressive=True)
    picture(40, 60).convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture(10, 90).save(tmp_path / "strip.jpg")
    picture(40, 60).save(tmp_path / "other.png")
    whole = (tmp_path / "plain.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[:-40])
    (tmp_path / "text.jpg").write_bytes(b"no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    # Its tables are broken, which the header does not show.
    at = whole.index(b"\xff\xc4") + 5
    (tmp_path / "damaged.jpg").write_bytes(whole[:at] + b"\xff" * 16 + whole[at + 16 :])
    (tmp_path / "folder.jpg").mkdir()
    return tmp_path


def read(folder, names, max_pixels=DEFAULT_MAX_PIXELS):
    return [read_file(f"{folder}/{name}", HOW, max_pixels=max_pixels) for name in names]


def decoded_by(decoder, folder, names, source=FILES):
    """Read and decode files; return their facts, and their pixels."""
    batch, facts = batch_of([f"{folder}/{name}" for name in names], HOW, source)
    batches = BatchDecoder(decoder, HOW, DEFAULT_MAX_PIXELS)
    try:
        decoded = batches.begin(lambda: batch)()
    finally:
        batches.close()
    assert not any(image.pixels is not None for image in decoded.images.values())
    return facts.replaced(decoded.images, decoded.seconds), decoded.pixels


def assert_read(folder, names, pixels):
    """Compare pixels with those of the reader of the processor."""
    for name, one in zip(names, pixels, strict=True):
        assert torch.equal(one, read_image(f"{folder}/{name}", HOW).pixels), name


@pytest.mark.parametrize("file", [0, 1 << 10, 1 << 17])
def test_a_mixed_batch_is_that_of_the_reader_of_the_processor(folder, monkeypatch, file):
    monkeypatch.setattr(packing, "FILE", file)  # bytes of room for each
    decoder = OnProcessor()
    names = [*sorted(path.name for path in folder.iterdir()), "missing.jpg"]
    facts, pixels = decoded_by(decoder, folder, names)
    assert decoder.decoded >= len(ORDINARY)
    expected = [read_image(f"{folder}/{name}", HOW) for name in names]
    reasons = {at: image.reason for at, image in enumerate(expected) if image.reason}
    assert facts.unreadable == reasons
    assert list(map(tuple, facts.stats.tolist())) == [image.stat for image in expected]
    assert facts.digests.tobytes() == b"".join(image.digest for image in expected)
    assert facts.orientations.tolist() == [image.orientation for image in expected]
    for name, one, image in zip(names, pixels, expected, strict=True):
        wanted = torch.zeros_like(one) if image.pixels is None else image.pixels
        assert torch.equal(one, wanted), name
    unreadable = {names[at] for at in reasons}
    assert {"text.jpg", "empty.jpg", "truncated.jpg", "folder.jpg", "missing.jpg"} <= unreadable


def test_only_ordinary_jpegs_are_left_to_the_gpu(folder):
    names = sorted(path.name for path in folder.iterdir())
    left = {name for name, file in zip(names, read(folder, names), strict=True) if file.content}
    assert left == {*ORDINARY, "damaged.jpg"}


def test_a_limit_of_pixels_is_that_of_the_reader_of_the_processor(folder):
    (file,) = read(folder, ["plain.jpg"], max_pixels=40 * 60 - 1)
    assert (file.content, file.image.reason) == (
        None, "has 2400 pixels; --max-pixels 2400 reads it",
    )  # fmt: skip
    assert read(folder, ["plain.jpg"], max_pixels=40 * 60)[0].content is not None


def test_a_file_that_fails_is_found_among_others_by_halves(folder):
    class Picky(OnProcessor):
        def __call__(self, contents):
            self.calls.append(len(contents))
            if any(len(content) == size for content in contents):
                raise RuntimeError("Error while decoding JPEG images: nvjpegDecode failed: 3")
            return super().__call__(contents)

    decoder, names = Picky(), [*ORDINARY, "plain.jpg"]
    size = (folder / "gray.jpg").stat().st_size
    facts, pixels = decoded_by(decoder, folder, names)
    assert decoder.decoded == len(names) - 1
    assert facts.unreadable == {}
    assert_read(folder, names, pixels)


def test_a_gpu_that_fails_is_not_taken_for_a_damaged_file(folder):
    class Broken(OnProcessor):
        def __call__(self, contents):
            raise error

    for error in (RuntimeError("CUDA error: unspecified launch failure"),
                  torch.OutOfMemoryError("CUDA out of memory.")):  # fmt: skip
        with pytest.raises(type(error)):
            decoded_by(Broken(), folder, ["plain.jpg", "gray.jpg"])


def test_few_pixels_are_decoded_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(gpu_decoding, "TOGETHER", 2 * 40 * 60)
    decoder, names = (
        OnProcessor(),
        ["plain.jpg", "gray.jpg", "other.png", "rotated.jpg", "tall.jpg"],
    )
    facts, pixels = decoded_by(decoder, folder, names)
    assert decoder.calls == [2, 1, 1]  # the last one alone has more
    assert facts.unreadable == {}
    assert_read(folder, names, pixels)


def test_few_parts_are_decoded_and_not_resized(folder, monkeypatch):
    monkeypatch.setattr(gpu_decoding, "TOGETHER", 1)
    held = most = 0

    def resize(images, *how, original=gpu_decoding.resize_and_crop_all):
        nonlocal held
        time.sleep(0.01)  # the decoder is faster
        try:
            return original(images, *how)
        finally:
            held -= len(images)

    class Counting(OnProcessor):
        def __call__(self, contents):
            nonlocal held, most
            held += len(contents)
            most = max(most, held)
            return super().__call__(contents)

    monkeypatch.setattr(gpu_decoding, "resize_and_crop_all", resize)
    decoded_by(Counting(), folder, 8 * ["plain.jpg"])
    assert 1 < most <= gpu_decoding.PARTS


def test_closing_drops_batches_that_have_not_begun(folder):
    batches = BatchDecoder(OnProcessor(), HOW, DEFAULT_MAX_PIXELS)
    begun, (batch, _) = threading.Event(), batch_of([f"{folder}/plain.jpg"], HOW)

    def slow():
        begun.set()
        time.sleep(0.1)
        return batch

    waits = [batches.begin(slow) for _ in range(9)]
    begun.wait()
    batches.close()
    with pytest.raises(CancelledError):
        waits[-1]()


def test_a_resizing_that_fails_is_told_and_keeps_no_room(folder, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(gpu_decoding, "resize_and_crop_all", fail)
    monkeypatch.setattr(gpu_decoding, "TOGETHER", 1)
    with pytest.raises(torch.OutOfMemoryError):
        decoded_by(OnProcessor(), folder, 9 * ["plain.jpg"])


def test_a_batch_without_a_readable_image_is_zeros(folder):
    decoder = OnProcessor()
    facts, pixels = decoded_by(decoder, folder, ["text.jpg"])
    assert (facts.unreadable.keys(), decoder.calls) == ({0}, [])
    assert not pixels.any()


def test_a_file_that_changes_before_there_is_room_is_that_of_its_facts(folder):
    names = ["plain.jpg", "tall.jpg", "wide.jpg"]
    batch, facts = batch_of([f"{folder}/{name}" for name in names], HOW)
    batch.contents[:, :AREA] = ABSENT[:AREA]
    (folder / "plain.jpg").write_bytes((folder / "other.png").read_bytes())
    (folder / "tall.jpg").write_bytes(b"no picture")
    with contextlib.closing(BatchDecoder(OnProcessor(), HOW, DEFAULT_MAX_PIXELS)) as batches:
        decoded = batches.begin(lambda: batch)()
    found = facts.replaced(decoded.images, 0.0)
    expected = [read_image(f"{folder}/{name}", HOW) for name in names]
    assert found.unreadable == {1: expected[1].reason}
    assert found.digests.tobytes() == b"".join(image.digest for image in expected)
    assert found.stats.tolist() == [list(image.stat) for image in expected]
    for at in (0, 2):
        assert torch.equal(decoded.pixels[at], expected[at].pixels)


def test_a_machine_without_a_gpu_is_told_so(monkeypatch):
    none = "torch finds no GPU; use --decode full --device cpu"
    on_processor = "excludes --device cpu; use --decode full"
    for device, reason in (("cpu", on_processor), ("auto", none), ("cuda", none)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ArgumentError) as caught:
            find_decoder(device)
        assert str(caught.value) == f"--decode gpu: {reason}"


def test_a_torchvision_without_the_decoder_is_told_so(monkeypatch):
    def refuse(*_):
        raise RuntimeError("decode_jpegs_cuda: torchvision not compiled with nvJPEG support")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    with pytest.raises(ArgumentError) as caught:
        find_decoder("auto")
    assert str(caught.value).startswith("--decode gpu: torchvision cannot decode on this GPU (")
    monkeypatch.setattr(nvjpeg.NvJpeg, "__call__", refuse)
    with pytest.raises(ArgumentError) as caught:
        find_decoder("auto")
    assert str(caught.value) == (
        "--decode gpu: torchvision cannot decode on this GPU (decode_jpegs_cuda: torchvision not"
        " compiled with nvJPEG support); use --decode full"
    )


def test_bytes_are_read_once_if_there_is_room(folder):
    class Counting(Files):
        reads = 0

        def read(self, name):
            Counting.reads += 1
            return super().read(name)

    names = ["plain.jpg", "progressive.jpg", "other.png", "damaged.jpg"]
    decoded_by(OnProcessor(), folder, names, Counting())
    assert Counting.reads == len(names)


def test_pictures_are_written_as_the_tests_think(folder):
    file = io.BytesIO((folder / "damaged.jpg").read_bytes())
    with pytest.raises(OSError):  # noqa: PT011  of any kind
        Image.open(file).load()
