import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moderate_cli.images import resizing
from moderate_cli.images.preprocessing import resize_and_crop
from moderate_cli.images.resizing import resize_and_crop_all
from moderate_cli.networks.table import Preprocessing

CPU = torch.device("cpu")
# Ordinary photos, a portrait, a square, sides that need no resizing, enlarged, far reduced, strips.
SIZES = (
    (375, 500), (380, 450), (500, 333), (256, 256), (256, 301), (257, 256), (200, 150), (32, 32),
    (1, 1), (9, 72), (72, 9), (1200, 1600), (512, 512), (768, 2048),
)  # fmt: skip


def levels(interpolation, resize=256, crop=224, squash=False):
    return Preprocessing(resize, crop, interpolation, (0.0,) * 3, (1.0,) * 3, squash=squash)


def drawn(sizes, seed=0):
    """Noise, the hardest case: of smooth pictures, more levels would be equal by chance."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)
            for size in sizes]  # fmt: skip


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "size", [(256, 224), (232, 224), (299, 299), (8, 8), (256, 224, True), (384, 384, True)]
)
def test_a_batch_has_the_pixels_of_images_that_are_resized_one_by_one(interpolation, size):
    how = levels(interpolation, *size)
    images = drawn(SIZES)
    found = resize_and_crop_all(images, how, CPU)
    assert found.dtype == torch.uint8
    for image, one in zip(images, found, strict=True):
        apart = (one.int() - resize_and_crop(image, how).int()).abs()
        assert apart.max() <= 1  # in sums beyond 24 bits
        assert torch.count_nonzero(apart) <= (0 if max(image.shape) <= 512 else 2e-4 * one.numel())


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_any_sizes_may_come_together(sizes):
    sizes = [(height, width) for height, width in sizes
             if max(height, width) <= 8 * min(height, width)] or [(3, 4)]  # fmt: skip
    how, images = levels("bicubic", 20, 16), drawn(sizes, len(sizes))
    found = resize_and_crop_all(images, how, CPU).int()
    expected = torch.stack([resize_and_crop(image, how) for image in images]).int()
    assert (found - expected).abs().max() <= 1
    assert torch.count_nonzero(found - expected) <= 0.005 * found.numel()


@pytest.mark.parametrize("together", [1, 200_000, 1 << 30])
def test_an_image_does_not_depend_on_those_beside_it(monkeypatch, together):
    how, images = levels("bicubic"), drawn(SIZES)
    alone = torch.cat([resize_and_crop_all([image], how, CPU) for image in images])
    monkeypatch.setattr(resizing, "TOGETHER", together)
    assert torch.equal(resize_and_crop_all(images, how, CPU), alone)


def test_on_a_gpu_more_are_resized_together_with_the_same_result(monkeypatch):
    how = levels("bicubic")
    images = drawn(20 * [(380, 450)] + [(500, 333)] + 20 * [(375, 500)] + [(90, 90), (2000, 1500)])
    few = resize_and_crop_all(images, how, CPU)
    parts = []

    def spy(sizes, most, original=resizing._alike):
        parts.extend(original(sizes, most))
        return parts

    monkeypatch.setattr(resizing, "_alike", spy)
    monkeypatch.setattr(resizing, "_most", lambda _device: resizing.MOST)
    assert torch.equal(resize_and_crop_all(images, how, CPU), few)
    assert [len(part) for part in parts] == [42, 1]  # the last one would be mostly padding
