"""A kernel learner from scratch: random patches of the pictures as a convolution, then ridge.

Coates and Ng, Learning Feature Representations with K-means, 2012 (random patches do nearly as well
as centers of k-means: Coates, Lee and Ng, AISTATS 2011): patches of normalized contrast are
whitened; the filters are whitened patches of the training pictures, without their labels; positive
and negative responses above a threshold are kept apart, and averaged over quarters of the picture.
Nothing is learned from other data, so that, unlike a head on pretrained features, this learner
needs images that show the variety of a class. A cell takes a second.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

PATCH, FILTERS, GRID = 6, 128, 2
DRAWN = 40_000  # patches that the whitening is estimated from
CONTRAST, WHITENING, THRESHOLD = 10.0, 0.1, 0.5
BATCH = 32


class Encoder:
    """Encodes pictures by their similarity to patches: 2 * `FILTERS` * `GRID`**2 numbers each.

    Parameters
    ----------
    pictures
        uint8 (n, 3, size, size), to draw patches from.
    seed
        Draws them.
    """

    def __init__(self, pictures: torch.Tensor, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        drawn = _normalized(_drawn(pictures, rng))
        mean = drawn.mean(dim=0)
        values, axes = torch.linalg.eigh((drawn - mean).T @ (drawn - mean) / len(drawn))
        whitening = axes @ torch.diag((values.clip(min=0) + WHITENING).rsqrt()) @ axes.T
        chosen = torch.from_numpy(rng.permutation(len(drawn))[:FILTERS])
        filters = functional.normalize((drawn[chosen] - mean) @ whitening)
        directions = whitening @ filters.T  # (3 * PATCH**2, FILTERS)
        self._base = mean @ directions
        # The response to a patch less its mean is that of filters less their mean.
        centered = (directions - directions.mean(dim=0)).T.reshape(-1, 3, PATCH, PATCH)
        self._kernels = centered.contiguous()

    def __call__(self, pictures: torch.Tensor) -> np.ndarray:
        """Encode pictures, uint8 (n, 3, size, size): float16 (n, d)."""
        with torch.inference_mode():
            found = [self._encoded(part) for part in pictures.split(BATCH)]
        return torch.cat(found).numpy()

    def _encoded(self, pictures: torch.Tensor) -> torch.Tensor:
        levels = pictures.float()
        response = functional.conv2d(levels, self._kernels)
        response /= _deviation(levels)
        response -= self._base[:, None, None]
        signs = [(response - THRESHOLD).relu(), (-response - THRESHOLD).relu()]
        pooled = functional.adaptive_avg_pool2d(torch.cat(signs, dim=1), GRID)
        return pooled.flatten(1).half()


def _drawn(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Draw patches, float32 (`DRAWN`, 3 * PATCH**2)."""
    images = rng.integers(0, len(pictures), DRAWN).tolist()
    top, left = rng.integers(0, pictures.shape[-1] - PATCH + 1, (2, DRAWN)).tolist()
    patches = [
        pictures[image, :, y : y + PATCH, x : x + PATCH].reshape(-1)
        for image, y, x in zip(images, top, left, strict=True)
    ]
    return torch.stack(patches).float()


def _normalized(patches: torch.Tensor) -> torch.Tensor:
    mean = patches.mean(dim=1, keepdim=True)
    return (patches - mean) / (patches.var(dim=1, keepdim=True, correction=0) + CONTRAST).sqrt()


def _deviation(levels: torch.Tensor) -> torch.Tensor:
    """Return the contrast of the patch at each place, (b, 1, places, places)."""
    both = torch.stack([levels.mean(dim=1), levels.square().mean(dim=1)], dim=1)
    mean, square = functional.avg_pool2d(both, PATCH, stride=1).split(1, dim=1)
    return ((square - mean.square()).clip(min=0) + CONTRAST).sqrt()
