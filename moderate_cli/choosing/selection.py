"""A selection: kept images, dropped images, and the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Mask, Rows, classes_in
from moderate_cli.choosing.earlier import Earlier
from moderate_cli.choosing.fates import records_of
from moderate_cli.choosing.preparing import Prepared
from moderate_cli.choosing.recipes import recipe_of
from moderate_cli.choosing.subsets import subset_of
from moderate_cli.dataset import Dataset
from moderate_cli.exporting.html import html_table
from moderate_cli.exporting.manifests import Record
from moderate_cli.exporting.recipes import Recipe
from moderate_cli.exporting.tables import Table
from moderate_cli.inputs import Source
from moderate_cli.notices import Notice
from moderate_cli.scoring import Scores
from moderate_cli.selection import Choice, emptied_classes
from moderate_cli.selection.selecting import choose_from
from moderate_cli.selection.weights import class_weights
from moderate_cli.text import counted, share_of

if TYPE_CHECKING:
    from moderate_cli.charts.distribution import Chart


class ClassCount(NamedTuple):
    """Name of a class, number of its readable images, and number of its kept images."""

    name: str
    images: int
    kept: int


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """Kept images; `numpy.asarray` of a selection is its mask.

    Attributes
    ----------
    source
        All images, and their features.
    choice
        Options of the selection.
    scores
        Scores of all images; NaN for unreadable ones.
    prepared
        Images dropped before the selection.
    mask
        bool (n,), the kept images, in ImageFolder's order.
    notices
        Facts that the user should know.
    is_inverted
        Whether it has the images that were not chosen.
    earlier
        Images of an earlier selection, which were kept in any case.

    Examples
    --------
    >>> from moderate_cli import select
    >>> selection = select("data/train", ratio=0.5, scope="class", backbone="pixels")
    >>> selection
    Selection(4 of 8 images in 3 classes, strategy moderate, criterion center)
    >>> selection.classes[0]
    ClassCount(name='cat', images=5, kept=2)
    """

    source: Source
    choice: Choice
    scores: Scores
    prepared: Prepared
    mask: Mask
    notices: tuple[Notice, ...] = ()
    is_inverted: bool = False
    earlier: Earlier | None = None

    def __repr__(self) -> str:
        """Return the number of kept images, and how they were selected."""
        given, images = self.source.given, int(np.count_nonzero(self.source.readable))
        classes = counted(len({one.name for one in self.classes}), "class", "classes")
        criterion = self.choice.scored_by if given is None else given.criterion
        scores = f"criterion {criterion}" if criterion else "given scores"
        return (
            f"Selection({len(self.rows)} of {images} images in {classes},"
            f" strategy {self.choice.strategy}, {scores})"
        )

    def _repr_html_(self) -> str:
        """Return the numbers of images and of kept images per class, for a notebook."""
        return html_table(repr(self), Table(("class", "images", "kept"), self.classes))

    @property
    def summary(self) -> str:
        """The number of kept images, and which share of which images they are.

        Examples
        --------
        >>> from moderate_cli import select
        >>> select("data/train", ratio=0.5, backbone="pixels").summary
        '4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate'
        """
        images = int(np.count_nonzero(self.source.readable))
        left = self.prepared.images
        classes = counted(len({one.name for one in self.classes}), "class", "classes")
        which = f"{left}" if left == images else f"{left} left"
        share = f"{share_of(len(self.rows), left)} of the {which}; {images - left} dropped first"
        chosen = "not kept by" if self.is_inverted else "with"
        return (
            f"{len(self.rows)} of {counted(images, 'image')} in {classes} ({share}) {chosen}"
            f" {self.choice.strategy}"
        )

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Return the mask."""
        return np.array(self.mask, dtype=dtype)

    @property
    def rows(self) -> Rows:
        """The kept rows, int64 (k,), ascending."""
        return np.flatnonzero(self.mask)

    @property
    def paths(self) -> list[str]:
        """The paths of the kept images, relative to the dataset; row numbers for arrays."""
        return list(self.scores.names(self.rows))

    @property
    def weights(self) -> Doubles:
        """float64 (k,), by which each class counts as among all readable images; the mean is 1.

        For a weighted loss, or `torch.utils.data.WeightedRandomSampler`
        (`moderate_cli.selection.weights`).
        """
        return class_weights(self.scores.labels, self.source.readable, self.mask)

    def subset(self, images: Any) -> Any:
        """Return the kept images of a dataset that you train on, in the order of `rows`.

        Parameters
        ----------
        images
            A dataset of torchvision or timm, whose images are found by their paths, whatever its
            order. Or one of Hugging Face, or any other with a length, whose rows are those of the
            folder or list that was selected from.

        Returns
        -------
        torch.utils.data.Subset, or a `datasets.Dataset` of one

        Raises
        ------
        ArgumentError
            If kept images are missing in it, its rows are of other classes, or labels of kept
            images were corrected, so that its own are wrong.
        """
        return subset_of(images, self.scores, self.rows, self.dataset)

    @property
    def dataset(self) -> Dataset | None:
        """The dataset of the images, if any."""
        return self.source.dataset

    @property
    def left_out(self) -> dict[str, Rows]:
        """The rows dropped before the selection, by reason: "suspects", "duplicates"."""
        return {why: one.rows for why, one in self.prepared.left_out.items()}

    @property
    def classes(self) -> list[ClassCount]:
        """The numbers of readable and kept images per class, in the order of classes."""
        labels = self.scores.labels
        found, sizes = np.unique(labels[self.source.readable], return_counts=True)
        kept = np.zeros(len(found), dtype=np.int64)
        at, counts = np.unique(labels[self.mask], return_counts=True)
        kept[np.searchsorted(found, at)] = counts
        return [
            ClassCount(self.scores.class_name(label), size, count)
            for label, size, count in zip(
                found.tolist(), sizes.tolist(), kept.tolist(), strict=True
            )
        ]

    @property
    def recipe(self) -> Recipe | None:
        """How it was made, for `moderate_cli.write_index`; None for arrays, or if inverted."""
        if self.is_inverted:
            return None
        counts = {one.name: [one.images, one.kept] for one in self.classes}
        earlier = None if self.earlier is None else self.earlier.facts
        return recipe_of(self.source, self.choice, counts, earlier)

    def chart(self) -> Chart:
        """Return a histogram of scores, kept and dropped; needs the `report` extra."""
        return self.scores.chart(self.mask)

    def records(self, split: str | None = None) -> Iterator[Record]:
        """Yield what became of each image, in row order, for `moderate_cli.write_manifest`.

        `split` names the split that the dataset is; None takes the dataset's own name, if it is
        one of splits, such as "train". An inverted selection has the same records.
        """
        kept = self.inverted().mask if self.is_inverted else self.mask
        return records_of(self.source, self.choice, self.scores, self.prepared, kept, split)

    def inverted(self) -> Selection:
        """Return the readable images that are not kept."""
        mask = ~self.mask & self.source.readable
        return replace(self, mask=mask, is_inverted=not self.is_inverted)

    @cached_property
    def lost(self) -> list[int]:
        """The labels of classes with images to select from, of which no image is kept."""
        if len(classes_in(self.scores.labels[self.source.readable])) == 1:
            return []
        return emptied_classes(self._eligible, self.mask)

    @cached_property
    def rescued(self) -> list[int]:
        """The labels of classes that would be lost without `min_per_class`."""
        if self.choice.within_classes or self.choice.min_per_class == 0:
            return []
        scores = self._eligible
        fixed = None if self.earlier is None else self.earlier.mask
        plain = choose_from(
            replace(self.choice, min_per_class=0), scores.values, scores.labels, fixed=fixed
        )
        return sorted(set(emptied_classes(scores, plain)) - set(self.lost))

    def of_classes(self) -> Iterator[Notice]:
        """Yield notices of classes that keep fewer images than the user may expect."""
        labels, least = self._eligible.labels, self.choice.min_per_class
        sizes = np.unique(labels[self.prepared.eligible], return_counts=True)[1]
        wanted, k = sum(min(size, least) for size in sizes.tolist()), len(self.rows)
        if least > 1 and k < wanted:
            yield Notice("floors", k, wanted, least=least)
        share = 0.0 if self.choice.within_classes else k / len(sizes)
        for kind, found in (("rescued classes", self.rescued), ("lost classes", self.lost)):
            if found:
                names = tuple(self.scores.class_name(label) for label in found)
                yield Notice(kind, len(found), names=names, share=share, least=least)  # type: ignore[arg-type]

    @property
    def _eligible(self) -> Scores:
        values = np.where(self.prepared.eligible, self.scores.values, np.nan)
        return replace(self.scores, values=values)
