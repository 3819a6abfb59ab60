import io
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch
from decoders import OnProcessor
from PIL import Image

from moderate_cli.dataset.sources import Files
from moderate_cli.errors import ArgumentError
from moderate_cli.images import gpu_decoding, nvjpeg
from moderate_cli.images.gpu_decoding import BatchDecoder
from moderate_cli.images.gpu_files import read_file
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


def decoded_by(decoder, files):
    batches = BatchDecoder(decoder, HOW, DEFAULT_MAX_PIXELS)
    try:
        return batches.begin(lambda: files)()
    finally:
        batches.close()


def pixels_of(decoded):
    assert decoded.pixels is not None
    return dict(zip(decoded.readable, decoded.pixels, strict=True))


def test_a_mixed_batch_is_that_of_the_reader_of_the_processor(folder):
    decoder = OnProcessor()
    names = [*sorted(path.name for path in folder.iterdir()), "missing.jpg"]
    decoded = decoded_by(decoder, read(folder, names))
    assert decoder.decoded >= len(ORDINARY)
    expected = [read_image(f"{folder}/{name}", HOW) for name in names]
    assert [image.reason for image in decoded.images] == [image.reason for image in expected]
    assert [image.stat for image in decoded.images] == [image.stat for image in expected]
    assert [image.digest for image in decoded.images] == [image.digest for image in expected]
    assert not any(image.pixels is not None for image in decoded.images)
    found = pixels_of(decoded)
    assert found.keys() == {at for at, image in enumerate(expected) if image.pixels is not None}
    for at, pixels in found.items():
        assert torch.equal(pixels, expected[at].pixels), names[at]
    unreadable = {name for name, image in zip(names, expected, strict=True) if image.reason}
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
    decoded = decoded_by(decoder, read(folder, names))
    assert decoder.decoded == len(names) - 1
    assert decoded.readable == list(range(len(names)))
    for name, pixels in zip(names, pixels_of(decoded).values(), strict=True):
        assert torch.equal(pixels, read_image(f"{folder}/{name}", HOW).pixels), name


def test_a_gpu_that_fails_is_not_taken_for_a_damaged_file(folder):
    class Broken(OnProcessor):
        def __call__(self, contents):
            raise error

    for error in (RuntimeError("CUDA error: unspecified launch failure"),
                  torch.OutOfMemoryError("CUDA out of memory.")):  # fmt: skip
        with pytest.raises(type(error)):
            decoded_by(Broken(), read(folder, ["plain.jpg", "gray.jpg"]))


def test_few_pixels_are_decoded_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(gpu_decoding, "TOGETHER", 2 * 40 * 60)
    decoder, names = (
        OnProcessor(),
        ["plain.jpg", "gray.jpg", "other.png", "rotated.jpg", "tall.jpg"],
    )
    decoded = decoded_by(decoder, read(folder, names))
    assert decoder.calls == [2, 1, 1]  # the last one alone has more
    assert decoded.readable == [0, 1, 2, 3, 4]
    for name, pixels in zip(names, pixels_of(decoded).values(), strict=True):
        assert torch.equal(pixels, read_image(f"{folder}/{name}", HOW).pixels), name


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
    decoded_by(Counting(), read(folder, 8 * ["plain.jpg"]))
    assert 1 < most <= gpu_decoding.PARTS


def test_closing_drops_batches_that_have_not_begun(folder):
    batches = BatchDecoder(OnProcessor(), HOW, DEFAULT_MAX_PIXELS)
    begun, files = threading.Event(), read(folder, ["plain.jpg"])

    def slow():
        begun.set()
        time.sleep(0.1)
        return files

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
        decoded_by(OnProcessor(), read(folder, 9 * ["plain.jpg"]))


def test_a_batch_without_a_readable_image_has_no_pixels(folder):
    decoded = decoded_by(OnProcessor(), read(folder, ["text.jpg"]))
    assert (decoded.pixels, decoded.readable) == (None, [])


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


def test_bytes_are_read_once(folder):
    class Counting(Files):
        reads = 0

        def read(self, name):
            Counting.reads += 1
            return super().read(name)

    names = ["plain.jpg", "progressive.jpg", "other.png", "damaged.jpg"]
    files = [read_file(f"{folder}/{name}", HOW, Counting()) for name in names]
    decoded_by(OnProcessor(), files)
    assert Counting.reads == len(names)


def test_pictures_are_written_as_the_tests_think(folder):
    file = io.BytesIO((folder / "damaged.jpg").read_bytes())
    with pytest.raises(OSError):  # noqa: PT011  of any kind
        Image.open(file).load()
