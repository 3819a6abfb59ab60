"""Scores of images: one number each, in row order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Mask, Rows, blocks, classes_in
from moderate_cli.text import counted

if TYPE_CHECKING:
    from moderate_cli.charts.distribution import Chart

ROWS_AT_ONCE = 1 << 16  # in memory as Python numbers, which take 40 bytes each


@dataclass(frozen=True, eq=False, repr=False)
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
    >>> scores
    Scores(8 images, 3 classes, median 4.71)
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

    def __repr__(self) -> str:
        """Return the numbers of images and classes, and the median."""
        readable = self.values[~np.isnan(self.values)]
        median = f", median {np.median(readable):.3g}" if len(readable) else ""
        classes = counted(len(classes_in(self.labels)), "class", "classes")
        return f"Scores({counted(len(self), 'image')}, {classes}{median})"

    @property
    def measure(self) -> str:
        """The name of the score, in words."""
        if self.criterion == "center":
            return "distance to the class center"
        return f"{self.criterion} score".lstrip()

    def chart(self, kept: Mask | None = None) -> Chart:
        """Return a histogram as an Altair chart; needs the `report` extra.

        With a mask, bool (n,), kept images have another color.
        """
        from moderate_cli.charts.distribution import distribution  # a third of the package's time

        return distribution(self.values, self.measure, kept)

    def names(self, rows: Rows) -> Iterator[str]:
        """Return the paths of rows; the row numbers if there are no paths."""
        name = self.paths.__getitem__ if self.paths else str
        parts = (rows[block].tolist() for block in blocks(len(rows), ROWS_AT_ONCE))
        return chain.from_iterable(map(name, part) for part in parts)

    def class_name(self, label: int) -> str:
        """Return the name of a class; its index if classes have no names."""
        return self.classes[label] if self.classes else str(label)
