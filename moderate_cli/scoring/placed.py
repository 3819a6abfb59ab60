"""Rows of features on the place that computes with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from moderate_cli.arrays import Features, Rows, blocks, copy_rows, directions, read_rows
from moderate_cli.gpu import Place
from moderate_cli.threads import in_threads

BLOCK_ROWS, AHEAD = 8192, 8  # rows to read at once for a GPU; blocks that wait for it


class Placed:
    """Rows of features: kept by a GPU if they fit into its memory, else read for each use.

    A GPU has them in their own type, because copying takes more time than computing with them: a
    difference to a mean in double precision is in double precision.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows
        int64 (m,), ascending.
    place
        Where they are computed with.
    """

    def __init__(self, features: Features, rows: Rows, place: Place) -> None:
        self.place, self.shape = place, (len(rows), features.shape[1])
        self._features, self._rows, self._held = features, rows, None
        own = features.dtype.name
        self._dtype = np.dtype(own if own in ("float16", "float32", "float64") else "float64")
        if place.on_gpu and place.fits(self.shape[0] * self.shape[1] * self._dtype.itemsize):
            parts = in_threads(self._read, blocks(len(rows), BLOCK_ROWS), AHEAD)
            self._held = place.gather(parts, self.shape)

    def __getitem__(self, part: slice | Rows) -> Any:
        """Return some rows, (b, d): on a processor float64, on a GPU of the features' type."""
        if not self.place.on_gpu:
            return read_rows(self._features, self._rows[part])
        if self._held is None:
            return self.place.keep(self._read(part))
        return self._held[part if isinstance(part, slice) else self.place.keep(part)]

    def unit(self, part: slice | Rows) -> Any:
        """Return some rows scaled to length 1, float32; rows of zeros stay zeros."""
        if not self.place.on_gpu:
            return directions(self[part]).astype(np.float32)
        return self.place.apply(_unit_on_gpu, self[part])[0]

    def each(self, parts: Iterable[slice]) -> Iterator[Any]:
        """Yield parts, in order, and read the next ones meanwhile."""
        if self._held is None:
            yield from in_threads(self.__getitem__, parts, AHEAD)
        else:
            yield from map(self.__getitem__, parts)

    def _read(self, part: slice | Rows) -> Features:
        return copy_rows(self._features, self._rows[part], self._dtype)


def _unit_on_gpu(points: Any) -> tuple[Any]:
    points = points.double()
    lengths = (points * points).sum(dim=1, keepdim=True).sqrt()
    return ((points / lengths.where(lengths > 0, 1.0)).float(),)
