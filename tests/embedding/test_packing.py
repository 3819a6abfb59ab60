"""Files for a GPU, and pixels, in the rows of a slab."""

import numpy as np
import pytest
import torch

from moderate_cli.embedding.engines import packing
from moderate_cli.embedding.engines.packing import packing_for, rows_each
from moderate_cli.embedding.engines.slabs import memory_of, private_slab
from moderate_cli.images.gpu_files import File
from moderate_cli.images.preprocessing import ReadImage
from moderate_cli.networks.table import Preprocessing

ROW = 3 * 8 * 8


def how(crop, decode="gpu (a stand-in)"):
    return Preprocessing(crop, crop, "bilinear", (0.0,) * 3, (1.0,) * 3, decode)


def image(pixels=None, reason=""):
    return ReadImage(pixels, reason, (1, 2, 3, 4), bytes(16), 0.0, 0.0, 1)


def file(size, level=1):
    return File(image(), bytes([level]) * size, 100)


def test_rows_for_files_are_beside_those_for_pixels():
    assert [rows_each(how(crop)) for crop in (8, 224, 299, 384)] == [684, 2, 2, 2]
    assert rows_each(how(224, "full")) == 1


@pytest.fixture
def some(monkeypatch):
    """Two images of two rows each, from the fourth row on; they share 768 bytes."""
    monkeypatch.setattr(packing, "FILE", ROW)
    slab = private_slab(9, 8)
    memory_of(slab)[:] = 0
    return packing_for(how(8), slab, 4, 2), memory_of(slab)


@pytest.mark.parametrize(("size", "fits"), [(2 * ROW, True), (3 * ROW, True), (577, False)])
def test_a_file_never_takes_the_room_of_pixels_to_come(some, size, fits):
    packed, memory = some
    pixels = torch.arange(ROW, dtype=torch.uint8).reshape(3, 8, 8)
    packed.put(0, file(size))
    packed.put(1, File(image(pixels)))
    end = 4 * ROW + size if fits else 4 * ROW
    first = [4 * ROW, size, 100] if fits else [-1, 0, 100]
    assert packed.contents.tolist() == [first, [end, 0, 0]]
    assert memory[end : end + ROW].tolist() == list(range(ROW))
    assert np.count_nonzero(memory == 1) == size * fits + 1  # one of the pixels


def test_the_last_file_has_all_that_is_left(some):
    packed, memory = some
    packed.put(0, File(image(reason="is empty")))
    packed.put(1, file(4 * ROW, 7))
    assert packed.contents.tolist() == [[-1, 0, 0], [4 * ROW, 4 * ROW, 100]]
    assert np.flatnonzero(memory == 7).tolist() == list(range(4 * ROW, 8 * ROW))
