"""Scores of images: one number each, in row order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Rows, blocks

ROWS_AT_ONCE = 1 << 16  # in memory as Python numbers, which take 40 bytes each


@dataclass(frozen=True)
class Scores:
    """The score of each image, in row order.

    Attributes
    ----------
    values
        float64 (n,); NaN for an unreadable image, which is never kept.
    labels
        int64 (n,), the class index of each image.
    classes
        Class names by index; empty for plain arrays.
    paths
        Path of each image relative to the dataset; empty for plain arrays.
    criterion
        A key of `CRITERIA`; empty if unknown.

    Examples
    --------
    >>> from moderate_cli import score
    >>> scores = score("data/train", backbone="pixels")
    >>> len(scores), scores.class_name(scores.labels[7]), scores.values[7]
    (8, 'owl', np.float64(0.0))
    """

    values: Doubles
    labels: npt.NDArray[np.int64]
    classes: Sequence[str] = ()
    paths: Sequence[str] = ()
    criterion: str = ""

    def __len__(self) -> int:
        return len(self.values)

    def names(self, rows: Rows) -> Iterator[str]:
        """Yield the paths of rows; the row numbers if there are no paths."""
        for block in blocks(len(rows), ROWS_AT_ONCE):
            numbers = rows[block].tolist()
            yield from (self.paths[row] for row in numbers) if self.paths else map(str, numbers)

    def class_name(self, label: int) -> str:
        """Return the name of a class; its index if classes have no names."""
        return self.classes[label] if self.classes else str(label)
