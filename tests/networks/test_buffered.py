"""The path of a GPU, on a processor: with the same buffers, but not pinned, and without streams."""

import pytest
import torch
from torch import nn

from moderate_cli.networks import buffered
from moderate_cli.networks.buffered import buffered_start

CPU = torch.device("cpu")


class Sums(nn.Module):
    """Features of an image: the sum of its pixels, and how many images came with it."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, images):
        self.shapes.append(tuple(images.shape))
        assert images.is_contiguous(memory_format=torch.channels_last)
        return torch.stack(
            [images.float().sum((1, 2, 3)), torch.full((len(images),), float(len(images)))], dim=1
        )


def batch(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 4, 4), generator=generator, dtype=torch.uint8)


def sums(images):
    return images.float().sum((1, 2, 3)).tolist()


@pytest.fixture
def made(monkeypatch):
    """Buffers that were made."""
    found = []

    def spy(*args, original=buffered._Buffers):
        found.append(original(*args))
        return found[-1]

    monkeypatch.setattr(buffered, "_Buffers", spy)
    return found


def test_a_network_gets_batches_of_one_shape():
    module = Sums()
    start = buffered_start(module, CPU, 5)
    for count in (5, 1, 4, 5, 2):
        images = batch(count, count)
        found = start(images)()
        assert found.shape == (count, 2)
        assert found[:, 0].tolist() == sums(images)
        assert found[:, 1].tolist() == [5.0] * count
    assert set(module.shapes) == {(5, 3, 4, 4)}


def test_a_small_batch_is_filled_with_zeros_and_not_with_the_one_before():
    seen = []

    class Seen(Sums):
        def forward(self, images):
            seen.append(images.clone())
            return super().forward(images)

    start = buffered_start(Seen(), CPU, 3)
    start(batch(3))()
    start(batch(1))()
    assert torch.equal(seen[1][:1], batch(1))
    assert not seen[1][1:].any()


def test_batches_under_way_have_buffers_of_their_own_and_later_ones_reuse_them(made):
    start = buffered_start(Sums(), CPU, 3)
    batches = [batch(3, seed) for seed in range(9)]
    under_way, found = [], []
    for images in batches:
        under_way.append(start(images))
        if len(under_way) == 3:
            found.append(under_way.pop(0)())
    found += [finish() for finish in under_way]
    assert [one[:, 0].tolist() for one in found] == [sums(images) for images in batches]
    assert len(made) == 3


def test_features_stay_when_their_buffers_are_used_again():
    start = buffered_start(Sums(), CPU, 3)
    first = start(batch(3, 1))()
    kept = first.clone()
    start(batch(3, 2))()
    assert torch.equal(first, kept)


def test_images_may_change_once_the_network_has_started():
    start = buffered_start(Sums(), CPU, 3)
    images = batch(3)
    expected = sums(images)
    finish = start(images)
    images.zero_()
    assert finish()[:, 0].tolist() == expected


def test_images_may_come_in_either_order_of_bytes():
    images = batch(3)
    for layout in (torch.contiguous_format, torch.channels_last):
        start = buffered_start(Sums(), CPU, 4)
        assert start(images.to(memory_format=layout))()[:, 0].tolist() == sums(images)
        other = start(images.contiguous()[:2])()
        assert other[:, 0].tolist() == sums(images)[:2]


def test_features_can_become_a_numpy_array():
    assert buffered_start(Sums(), CPU, 2)(batch(2))().numpy().shape == (2, 2)


def test_a_batch_size_is_found_by_the_memory_that_images_take(monkeypatch):
    gigabyte = 2**30
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (40 * gigabyte, 80 * gigabyte))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: gigabyte)
    module = Sums()
    for peak, size in ((1.3, 1024), (1.32, 512), (2, 256), (30, 256)):
        monkeypatch.setattr(
            torch.cuda, "max_memory_allocated", lambda _, peak=peak: peak * gigabyte
        )
        assert buffered.find_batch_size(module, 4, CPU) == size
    assert set(module.shapes) == {(buffered.TRIAL, 3, 4, 4)}
