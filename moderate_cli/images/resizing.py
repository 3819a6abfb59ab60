"""Many images of any sizes -> one batch of the size that a backbone needs, on any device.

Resizing one image at a time on a GPU takes longer to start than to compute. Here a few matrix
products resize many images: with a row of weights for each pixel of the result, `columns` and
`rows`, an image becomes `rows @ (image @ columns.T)`. Weights are computed for the crop alone, and
rounded to the 16-bit integers of torch's own kernel for a CPU, so that sums are exact in float32
unless a side becomes a fourth or less, and images the same as those of
`moderate_cli.images.preprocessing.resize_and_crop`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from moderate_cli.networks.streams import moved
from moderate_cli.networks.table import Preprocessing

# Pixels of images that are resized together, each counted as large as the largest of them. To
# start a product takes a thread as long as a GPU needs for tens of images, so there it is more, if
# its memory has so many bytes for each pixel; but not if most of the pixels would be padding.
TOGETHER, MOST, BYTES, PADDED = 1 << 23, 1 << 26, 256, 2
# Pixels a side of a result up to which it is computed in float64: sides mostly become a fourth or
# less, and products are small. Larger results of images up to 512 pixels a side are exact anyway.
PRECISE = 128
# Bits of whole weights, of which the largest has at most 15.
MOST_BITS, LARGEST = 22, (1 << 15) - 0.5


def resize_and_crop_all(
    images: Sequence[torch.Tensor], preprocessing: Preprocessing, device: torch.device
) -> torch.Tensor:
    """Resize each image, then cut the central square.

    Parameters
    ----------
    images
        uint8 (3, height, width) each, at most `MAX_ASPECT` times as long as wide; none is no error.
    preprocessing
        Size, crop and interpolation; the crop is not larger.
    device
        The device that they are on.

    Returns
    -------
    uint8 (b, 3, crop, crop)
    """
    crop = preprocessing.crop
    found = torch.empty((len(images), 3, crop, crop), dtype=torch.uint8, device=device)
    sizes = [_size(image) for image in images]
    for part in _alike(sizes, _most(device)):
        resized = _resize([images[at] for at in part], preprocessing, device)
        found.index_copy_(0, moved(torch.tensor(part), device), resized)
    return found


def _size(image: torch.Tensor) -> tuple[int, int]:
    """Return the height and width of an image."""
    return image.shape[1], image.shape[2]


def _most(device: torch.device) -> int:
    """Return how many pixels may be resized together."""
    if device.type != "cuda":
        return TOGETHER
    memory: int = torch.cuda.get_device_properties(device).total_memory
    return min(MOST, memory // BYTES)


def _alike(sizes: Sequence[tuple[int, int]], most: int) -> list[list[int]]:
    """Divide images, by their sizes, into parts of similar ones, in the order of their sizes.

    >>> _alike([(2000, 2000), (100, 90), (3000, 3000), (100, 100)], 1 << 23)
    [[1, 3], [0], [2]]
    >>> _alike([(3000, 3000), (10, 10), (10, 10)], 1 << 26)
    [[1, 2], [0]]
    >>> _alike([(3000, 3000), (2000, 3000), (2000, 3000)], 1 << 26)
    [[1, 2, 0]]
    """
    parts: list[list[int]] = []
    height = width = area = 0
    for at in sorted(range(len(sizes)), key=sizes.__getitem__):
        own_height, own_width = sizes[at]
        height, width = max(height, own_height), max(width, own_width)
        area += own_height * own_width
        whole = (len(parts[-1]) + 1) * height * width if parts else 0
        if parts and (whole <= TOGETHER or whole <= min(most, PADDED * area)):
            parts[-1].append(at)
        else:
            parts.append([at])
            height, width, area = own_height, own_width, own_height * own_width
    return parts


def _resize(
    images: list[torch.Tensor], preprocessing: Preprocessing, device: torch.device
) -> torch.Tensor:
    """Resize and crop images of similar sizes, those of one size side by side."""
    sizes = [_size(image) for image in images]
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    count, crop, at = len(images), preprocessing.crop, 0
    dtype = torch.float64 if crop <= PRECISE else torch.float32
    canvas = torch.zeros((count, 3, height, width), dtype=dtype, device=device)
    distinct: list[tuple[int, int]] = []
    which: list[int] = []
    for size, group in itertools.groupby(images, _size):
        alike = list(group)
        # One operation, where a slice would be three.
        place = canvas.as_strided((len(alike), 3, *size), canvas.stride(), at * canvas.stride(0))
        place.copy_(torch.stack(alike) if len(alike) > 1 else alike[0][None])
        at += len(alike)
        which += [len(distinct)] * len(alike)
        distinct.append(size)
    each = moved(torch.tensor(which), device)
    weights = _Weights(distinct, preprocessing, dtype, device)
    columns, rows = weights.along(1, width).of(each), weights.along(0, height).of(each)
    across = torch.bmm(canvas.view(count, 3 * height, width), columns.values.mT)
    _round(across.view(count, 3, height, crop), columns.bits)
    resized = torch.matmul(rows.values[:, None], across.view(count, 3, height, crop))
    return _round(resized, rows.bits).to(torch.uint8)


class _Side(NamedTuple):
    """Weights of pixels along one side of images.

    Attributes
    ----------
    values
        float (b, crop, length), whole numbers; each row adds up to about 2**bits.
    bits
        float (b, 1, 1, 1).
    """

    values: torch.Tensor
    bits: torch.Tensor

    def of(self, each: torch.Tensor) -> _Side:
        """Return the weights of more images, by their positions among these."""
        return _Side(self.values.index_select(0, each), self.bits.index_select(0, each))


class _Weights:
    """Weighs pixels as torch does for bytes, with `antialias=True`.

    Parameters
    ----------
    sizes
        Height and width of each image.
    preprocessing
        Size, crop and interpolation.
    dtype, device
        Precision of the weights, and the device that computes.
    """

    def __init__(
        self,
        sizes: list[tuple[int, int]],
        preprocessing: Preprocessing,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._dtype = dtype
        self._kernel, self._reach = KERNELS[preprocessing.interpolation]
        self._crop = preprocessing.crop
        resized = [preprocessing.resized(*size) for size in sizes]
        self._longest = max(map(max, resized))
        # Pixels that weigh, at most, for one of the result.
        widest = max(one / other for pair in zip(sizes, resized, strict=True)
                     for one, other in zip(*pair, strict=True))  # fmt: skip
        self._most = int(2 * self._reach * max(1.0, widest)) + 2
        self._sizes, self._resized = moved(torch.tensor([sizes, resized]), device)
        # As torchvision's center crop rounds it.
        self._cuts = ((self._resized - self._crop) / 2).round().long()

    def along(self, side: int, length: int) -> _Side:
        """Weigh the pixels along the height (0) or width (1), of which there are `length`."""
        ends, resized = self._sizes[:, side, None, None], self._resized[:, side, None, None]
        device = ends.device
        places = torch.arange(self._longest, device=device)[:, None]
        scale = ends.double() / resized
        wide = scale.clamp(min=1)
        centers = scale * (places + 0.5)
        first = (centers - self._reach * wide + 0.5).long().clamp(min=0)
        last = torch.minimum((centers + self._reach * wide + 0.5).long(), ends)
        pixels = first + torch.arange(self._most, device=device)  # (b, longest, most)
        inside = (pixels < last) & (places < resized)
        found = self._kernel((pixels - centers + 0.5) / wide) * inside
        found /= found.sum(dim=2, keepdim=True).where(places < resized, 1.0)
        # The bits depend on all weights of an image, also on those beyond the crop.
        largest = found.amax(dim=(1, 2))[:, None]
        powers = 2.0 ** torch.arange(1, MOST_BITS + 1, device=device, dtype=torch.float64)
        bits = (largest * powers < LARGEST).sum(dim=1)[:, None, None]
        cropped = (self._cuts[:, side, None] + places[: self._crop, 0])[:, :, None]
        found = found.take_along_dim(cropped, dim=1) * 2.0**bits
        whole = (found + 0.5 * found.sign()).trunc().to(self._dtype)
        pixels = pixels.take_along_dim(cropped, dim=1).clamp(max=length - 1)
        values = torch.zeros((len(ends), self._crop, length), dtype=self._dtype, device=device)
        # Of pixels beyond the end, which are added to the last one, the weights are zero.
        return _Side(values.scatter_add_(2, pixels, whole), bits[:, None].to(self._dtype))


def _round(sums: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Divide sums (b, 3, h, w) of weighted levels by 2**bits, and round them to levels, in place.

    Place counts: they are the largest arrays here.
    """
    return sums.add_(2.0 ** (bits - 1)).mul_(2.0**-bits).floor_().clamp_(0, 255)


def _cubic(distances: torch.Tensor) -> torch.Tensor:
    """Return the cubic kernel of Keys with a = -0.5, as PIL's; its reach is 2."""
    far = distances.abs()
    near = (1.5 * far - 2.5) * far * far + 1
    return near.where(far < 1, ((-0.5 * far + 2.5) * far - 4) * far + 2).where(far < 2, 0)


def _triangle(distances: torch.Tensor) -> torch.Tensor:
    """Return the kernel of linear interpolation; its reach is 1."""
    return (1 - distances.abs()).clamp(min=0)


# Name of an interpolation -> its kernel, and the distance from which that is zero.
KERNELS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float]] = {
    "bicubic": (_cubic, 2.0),
    "bilinear": (_triangle, 1.0),
}
