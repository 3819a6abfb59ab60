import numpy as np
import pytest
import torch
from conftest import LEVELS

from moderate_cli.dataset import scan
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.errors import DeviceError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.table import Preprocessing
from moderate_cli.training.loading import load_images

SMALL = Preprocessing(8, 8, "bilinear", (0.0,) * 3, (255.0,) * 3)
GRAYS = [level for levels in LEVELS.values() for level in levels]
ALL = np.ones(len(GRAYS), dtype=bool)


def test_pixels_and_digests_are_in_the_order_of_the_dataset(data):
    dataset = scan(data)
    loaded = load_images(dataset, ALL, SMALL, 100)
    assert (loaded.pixels.shape, loaded.pixels.dtype) == ((8, 3, 8, 8), torch.uint8)
    assert loaded.pixels[:, 0, 0, 0].tolist() == GRAYS
    for row, path in enumerate(dataset.paths):
        assert torch.equal(loaded.pixels[row], read_image(f"{data}/{path}", SMALL).pixels)
        assert loaded.digests[row].tobytes() == content_digest((data / path).read_bytes())
    assert loaded.unreadable == {}


def test_only_wanted_rows_are_read_and_counted(data):
    wanted = np.arange(8) % 2 == 1
    read = []
    loaded = load_images(scan(data), wanted, SMALL, 100, lambda: read.append(1))
    assert len(read) == 4
    assert loaded.pixels[:, 0, 0, 0].tolist() == [0, 51, 0, 153, 0, 0, 0, 51]
    assert (loaded.digests.any(axis=1) == wanted).all()


def test_unreadable_images_are_told_with_the_reason(data):
    (data / "cat" / "4.png").write_bytes(b"bad")
    (data / "dog" / "0.png").unlink()
    dataset = scan(data)
    (data / "owl" / "0.png").unlink()
    loaded = load_images(dataset, ALL[:7], SMALL, 100)
    assert list(loaded.unreadable) == [4, 6]
    assert loaded.unreadable[6] == "No such file or directory"
    assert loaded.pixels[[4, 6]].sum() == 0
    assert loaded.pixels[:, 0, 0, 0].tolist() == [0, 51, 102, 153, 0, 255, 0]
    # The bytes of the first were read.
    assert loaded.digests[4].tobytes() == content_digest(b"bad")
    assert not loaded.digests[6].any()


def test_images_with_too_many_pixels_are_unreadable(data):
    assert list(load_images(scan(data), ALL, SMALL, 80).unreadable) == list(range(8))


def test_pictures_that_do_not_fit_in_memory_are_told_in_a_line(data):
    large = Preprocessing(10**6, 10**6, "bilinear", (0.0,) * 3, (255.0,) * 3)
    with pytest.raises(DeviceError) as caught:
        load_images(scan(data), ALL, large, 100)
    assert str(caught.value) == (
        "out of memory; 8 pictures take 24000.0 GB, and a smaller --size less"
    )
