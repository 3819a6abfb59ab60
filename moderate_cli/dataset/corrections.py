"""Corrected labels, which replace those of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, Rows

LEFT_OUT = -1  # in place of a class


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrected labels of a dataset.

    Attributes
    ----------
    name
        The file, as the user named it.
    digest
        BLAKE2b of its bytes, in hexadecimal digits.
    given, corrected
        int64 (n,), the class of each image in the dataset, and its corrected class; -1 for images
        to leave out.
    unknown
        Paths of the file that are not in the dataset.
    key
        Digest of `corrected`, to which results are bound; empty if nothing is corrected.
    """

    name: str
    digest: str
    given: npt.NDArray[np.int64]
    corrected: npt.NDArray[np.int64]
    unknown: tuple[str, ...] = ()
    key: bytes = b""

    @cached_property
    def left_out(self) -> Mask:
        """Bool (n,), the images to leave out."""
        mask: Mask = self.corrected == LEFT_OUT
        return mask

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """int64 (n,), the class of each image; the given one for images to leave out."""
        return np.where(self.left_out, self.given, self.corrected)

    @property
    def used(self) -> npt.NDArray[np.int64]:
        """int64 (m,), the class of each image but those to leave out."""
        return self.corrected[~self.left_out]

    @cached_property
    def changed(self) -> Rows:
        """Rows with another class than in the dataset, int64 (m,); not those to leave out."""
        return np.flatnonzero(self.labels != self.given)

    def count(self, rows: Rows) -> int:
        """Return how many of these rows have another class than in the dataset."""
        return int(np.count_nonzero(np.isin(self.changed, rows)))
