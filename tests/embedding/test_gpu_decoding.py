import json

import numpy as np
import pytest
import torch
from decoders import stand_in
from listeners import Told
from PIL import Image

from moderate_cli import embed, estimate
from moderate_cli.dataset import scan
from moderate_cli.embedding.engines import batches, gpu_decoding, local
from moderate_cli.errors import ArgumentError, DeviceError, UnreadableImages
from moderate_cli.store import blocks
from moderate_cli.store.inventory import describe

OPTIONS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch", "decode": "gpu"}


@pytest.fixture
def photos(tmp_path):
    """Two classes: JPEGs of several sizes and kinds, and PNGs."""
    rng = np.random.default_rng(0)
    root = tmp_path / "data" / "train"
    for label in "ab":
        (root / label).mkdir(parents=True)
        for number in range(9):
            coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
            photo = coarse.resize((20 + 7 * number, 60), Image.Resampling.BICUBIC)
            kind = {"progressive": number == 3, "subsampling": number % 3}
            photo.save(root / label / f"{number}.jpg", **kind)
        photo.save(root / label / "9.png")
    return root


@pytest.fixture
def decoder(monkeypatch):
    return stand_in(monkeypatch)


@pytest.fixture
def few_at_once(monkeypatch):
    monkeypatch.setattr(batches, "TASK", 2)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_features_are_those_of_the_reader_of_the_processor(photos, decoder):
    found = embed(scan(photos), **OPTIONS)
    full = embed(scan(photos), **{**OPTIONS, "decode": "full"})
    np.testing.assert_array_equal(found.features, full.features)
    np.testing.assert_array_equal(found.digests, full.digests)
    np.testing.assert_array_equal(found.stats, full.stats)
    assert decoder.decoded == 16  # the others are progressive, or PNGs


def test_the_name_of_a_set_and_its_manifest_tell_what_decoded(photos, decoder):
    store = embed(scan(photos), **OPTIONS)
    assert store.folder.name == "pixels-float32-float32-gpu"
    manifest = json.loads((store.folder / "manifest.json").read_bytes())
    assert manifest["preprocessing"]["decode"] == "gpu (a stand-in)"
    (info,) = describe(photos)
    assert info.preprocessing["decode"] == "gpu (a stand-in)"


def test_rows_of_another_gpu_are_not_mixed_in(photos, decoder, monkeypatch):
    whole = scan(photos)
    first = embed(whole, **OPTIONS)
    (photos / "a" / "0.jpg").unlink()
    embed(scan(photos), **OPTIONS)
    assert decoder.decoded == 16  # the rows that were left have been reused
    decoder.name = "another stand-in"
    Image.new("RGB", (30, 20)).save(photos / "a" / "new.jpg")
    embed(scan(photos), **OPTIONS)
    assert decoder.decoded == 16 + 15 + 1
    assert first.folder.exists()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_same_images_give_the_same_bytes_whatever_the_workers_and_batches(
    photos, decoder, few_at_once, monkeypatch, workers, batch
):
    whole = contents(embed(scan(photos), **OPTIONS, store=photos.parent / "whole").folder)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 4)
    other = embed(
        scan(photos), **OPTIONS, store=photos.parent / "other", workers=workers, batch_size=batch
    )
    assert contents(other.folder) == whole


def test_an_interrupted_run_goes_on(photos, decoder, few_at_once, monkeypatch):
    whole = contents(embed(scan(photos), **OPTIONS, store=photos.parent / "whole").folder)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 4)

    def stop(done, _total):
        if done >= 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(scan(photos), **OPTIONS, batch_size=2, listener=Told(embed=stop))
    counts = []
    store = embed(scan(photos), **OPTIONS, listener=Told(embed=counts))
    assert counts[0] in ((4, 20), (8, 20))  # the last block may not be written yet
    assert contents(store.folder) == whole


def test_unreadable_images_are_told_as_ever(photos, decoder):
    (photos / "a" / "0.jpg").write_bytes(b"no picture")
    (photos / "b" / "0.jpg").write_bytes((photos / "b" / "1.jpg").read_bytes()[:-30])
    with pytest.raises(UnreadableImages):
        embed(scan(photos), **OPTIONS)
    gpu = embed(scan(photos), **OPTIONS, on_error="skip")
    full = embed(scan(photos), **{**OPTIONS, "decode": "full"}, on_error="skip")
    assert gpu.unreadable == full.unreadable
    assert gpu.unreadable.keys() == {0, 10}


def test_images_in_a_tar_file_are_decoded_too(photos, decoder, tmp_path):
    import tarfile

    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        archive.add(photos, arcname="")
    found = embed(scan(tmp_path / "data.tar"), **OPTIONS)
    np.testing.assert_array_equal(found.features, embed(scan(photos), **OPTIONS).features)


def test_a_network_gets_batches_of_at_most_its_size(photos, decoder, monkeypatch):
    sizes = []

    def spy(*args, original=local.load_network, **options):
        network = original(*args, **options)

        def start(pixels):
            sizes.append(tuple(pixels.shape))
            return network.start(pixels)

        return gpu_decoding.replace(network, start=start)

    monkeypatch.setattr(local, "load_network", spy)
    embed(scan(photos), **OPTIONS, batch_size=8)
    assert sizes == [(8, 3, 8, 8), (8, 3, 8, 8), (4, 3, 8, 8)]


def test_a_gpu_without_memory_is_told_in_a_line(photos, decoder, monkeypatch):
    def fail(_self, _contents):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(type(decoder), "__call__", fail)
    with pytest.raises(DeviceError) as caught:
        embed(scan(photos), **OPTIONS)
    assert str(caught.value) == "the GPU is out of memory; use a smaller --batch-size"


def test_an_estimate_decodes_likewise(photos, decoder):
    assert estimate(scan(photos), **OPTIONS).pending == 20
    assert decoder.decoded > 0


def test_without_a_gpu_it_is_refused_before_the_weights_are_read(photos, monkeypatch):
    monkeypatch.setattr(local, "load_network", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ArgumentError) as caught:
        embed(scan(photos), **OPTIONS)
    assert str(caught.value) == "--decode gpu: torch finds no GPU; use --decode full --device cpu"


def test_files_that_cannot_be_read_now_are_told_as_ever(photos, decoder):
    (photos / "a" / "x.jpg").symlink_to("missing")
    found = embed(scan(photos), **OPTIONS, on_error="skip")
    full = embed(scan(photos), **{**OPTIONS, "decode": "full"}, on_error="skip")
    assert found.unreadable == full.unreadable


def test_the_default_backbone_is_run_on_them(photos, decoder):
    options = {**OPTIONS, "backbone": "efficientnet_lite0"}
    found = embed(scan(photos), **options)
    full = embed(scan(photos), **{**options, "decode": "full"})
    np.testing.assert_allclose(found.features, full.features, rtol=1e-3, atol=1e-4)


def test_a_gpu_that_is_missing_is_named_before_it_is_asked_to_decode(photos, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ArgumentError) as caught:
        embed(scan(photos), **OPTIONS, device="cuda:9")
    assert str(caught.value) == "--device cuda:9: torch finds 1 GPU; use cuda:0"
