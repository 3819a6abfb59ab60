"""Many images of any sizes -> one batch of the size that a backbone needs, on any device.

Resizing one image at a time on a GPU takes longer to start than to compute. Here a few matrix
products resize many images: with a row of weights for each pixel of the result, `columns` and
`rows`, an image becomes `rows @ (image @ columns.T)`. Weights are computed for the crop alone, and
rounded to the 16-bit integers of torch's own kernel for a CPU, so that sums are exact in float32,
and images the same as those of `moderate_cli.images.preprocessing.resize_and_crop`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from moderate_cli.networks.table import Preprocessing

# Pixels of images that are resized together, each counted as large as the largest of them: larger
# ones take more memory, and smaller ones more launches of kernels.
TOGETHER = 1 << 23
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
    for part in _alike([(image.shape[1], image.shape[2]) for image in images]):
        resized = _resize([images[at] for at in part], preprocessing)
        found.index_copy_(0, _moved(part, device), resized)
    return found


def _alike(sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Divide images, by their sizes, into parts of similar ones.

    >>> _alike([(2000, 2000), (100, 90), (3000, 3000), (100, 100)])
    [[1, 3], [0], [2]]
    """
    parts: list[list[int]] = []
    height = width = 0
    for at in sorted(range(len(sizes)), key=sizes.__getitem__):
        height, width = max(height, sizes[at][0]), max(width, sizes[at][1])
        if parts and (len(parts[-1]) + 1) * height * width <= TOGETHER:
            parts[-1].append(at)
        else:
            parts.append([at])
            height, width = sizes[at]
    return parts


def _resize(images: list[torch.Tensor], preprocessing: Preprocessing) -> torch.Tensor:
    """Resize and crop images of similar sizes."""
    sizes = [(image.shape[1], image.shape[2]) for image in images]
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    device, count = images[0].device, len(images)
    canvas = torch.zeros((count, 3, height, width), device=device)
    for place, image, (own_height, own_width) in zip(canvas.unbind(), images, sizes, strict=True):
        place[:, :own_height, :own_width] = image
    weights = _Weights(sizes, preprocessing, device)
    columns, rows = weights.along(1, width), weights.along(0, height)
    across = torch.bmm(canvas.view(count, 3 * height, width), columns.values.mT)
    across = _rounded(across.view(count, 3, height, preprocessing.crop), columns.bits)
    return _rounded(torch.matmul(rows.values[:, None], across), rows.bits).to(torch.uint8)


class _Side(NamedTuple):
    """Weights of pixels along one side of images.

    Attributes
    ----------
    values
        float32 (b, crop, length), whole numbers; each row adds up to about 2**bits.
    bits
        float32 (b, 1, 1, 1).
    """

    values: torch.Tensor
    bits: torch.Tensor


class _Weights:
    """Weighs pixels as torch does for bytes, with `antialias=True`.

    Parameters
    ----------
    sizes
        Height and width of each image.
    preprocessing
        Size, crop and interpolation.
    device
        The device that computes.
    """

    def __init__(
        self, sizes: list[tuple[int, int]], preprocessing: Preprocessing, device: torch.device
    ) -> None:
        self._kernel, self._reach = KERNELS[preprocessing.interpolation]
        self._crop = preprocessing.crop
        resized = [preprocessing.resized(*size) for size in sizes]
        self._longest = max(map(max, resized))
        # Pixels that weigh, at most, for one of the result.
        widest = max(one / other for pair in zip(sizes, resized, strict=True)
                     for one, other in zip(*pair, strict=True))  # fmt: skip
        self._most = int(2 * self._reach * max(1.0, widest)) + 2
        self._sizes, self._resized = _moved(sizes, device), _moved(resized, device)
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
        whole = (found + 0.5 * found.sign()).trunc().float()
        pixels = pixels.take_along_dim(cropped, dim=1).clamp(max=length - 1)
        values = torch.zeros((len(ends), self._crop, length), device=device)
        # Of pixels beyond the end, which are added to the last one, the weights are zero.
        return _Side(values.scatter_add_(2, pixels, whole), bits[:, None].float())


def _rounded(sums: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Divide sums (b, 3, h, w) of weighted levels by 2**bits, and round them to levels."""
    return ((sums + 2.0 ** (bits - 1)) * 2.0**-bits).floor().clamp(0, 255)


def _moved(numbers: Sequence[int | tuple[int, ...]], device: torch.device) -> torch.Tensor:
    """Copy whole numbers to a device, without waiting for its earlier work."""
    return torch.tensor(numbers).to(device, non_blocking=True)


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
