"""The selection that a report shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Labels, Mask, Rows
from moderate_cli.choosing import Selection
from moderate_cli.dataset import Dataset
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.networks.table import FITTED, IGNORE
from moderate_cli.reporting.wording import LONGEST_NAME, shown
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import CRITERIA, Scores
from moderate_cli.selection import Choice, Order, Window
from moderate_cli.selection.duplicates import Duplicates
from moderate_cli.store.manifest import Manifest

ALL_NAMES = 600_000  # characters


class Made(NamedTuple):
    """How a page was made.

    Attributes
    ----------
    report, select, evaluate
        Commands that make the page again, write the list of kept images, and compare the
        selection with random selection.
    corrected
        Command that selects with the labels of the page's CSV; "" where clusters are classes.
    date
        Day that the page was made, such as "2025-03-31"; "" for none.
    """

    report: str = ""
    select: str = ""
    evaluate: str = ""
    corrected: str = ""
    date: str = ""


@dataclass(frozen=True, eq=False)
class Subject:
    """A selection, and everything that a report says about it.

    Attributes
    ----------
    selection
        What was chosen; its source is a dataset.
    suspects
        From `suspects_in`; None where labels were not checked.
    duplicates
        Near duplicates; None where they were not searched.
    made
        The commands that make the page and the selection again, and the date.
    clustered
        Whether classes are clusters of the features, which no image can be wrong in.
    """

    selection: Selection
    suspects: Suspects | None = None
    duplicates: Duplicates | None = None
    made: Made = field(default_factory=Made)
    clustered: bool = False

    @property
    def dataset(self) -> Dataset:
        """The images."""
        assert self.selection.dataset is not None
        return self.selection.dataset

    @property
    def orientation(self) -> str:
        """Whether images were turned by their EXIF tag."""
        stores = self.selection.source.stores
        return stores[0].manifest.spec.orientation if stores else IGNORE

    @property
    def data(self) -> LabeledFeatures:
        """Their features and classes; the first of several feature sets."""
        return self.selection.source.sets[0]

    @property
    def choice(self) -> Choice:
        """What was asked for."""
        return self.selection.choice

    @property
    def scores(self) -> Scores:
        """Of all images; NaN for unreadable ones."""
        return self.selection.scores

    @property
    def eligible(self) -> Mask:
        """Bool (n,), the images that could be kept: readable, and not removed beforehand."""
        return self.selection.prepared.eligible

    @property
    def kept(self) -> Mask:
        """Bool (n,)."""
        return self.selection.mask

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """Path -> reason."""
        stores = self.selection.source.stores
        return {one.paths[row]: why for one in stores for row, why in one.unreadable.items()}

    @property
    def unlabeled(self) -> Rows:
        """Rows of the images that corrected labels leave out."""
        found = self.dataset.corrections
        return np.empty(0, np.int64) if found is None else np.flatnonzero(found.left_out)

    def spared(self, what: str) -> int:
        """How many "suspects" or "duplicates" stay because their class needs them."""
        left_out = self.selection.prepared.left_out
        return len(left_out[what].spared) if what in left_out else 0

    @cached_property
    def readable(self) -> Mask:
        """Bool (n,), whether an image has a score."""
        return ~np.isnan(self.scores.values)

    @cached_property
    def labels(self) -> Labels:
        """Classes that occur, ascending."""
        return np.unique(self.scores.labels[self.readable])

    @cached_property
    def members(self) -> Rows:
        """int64 (n,), the position of each image's class in `labels`."""
        return np.searchsorted(self.labels, self.scores.labels)

    @cached_property
    def suspected(self) -> Rows:
        """Rows of the images whose label is probably wrong, the most probable first."""
        return np.empty(0, np.int64) if self.suspects is None else self.suspects.most_probable()

    @cached_property
    def torn(self) -> Mask:
        """Bool (m,), the pairs of near duplicates that have different labels."""
        assert self.duplicates is not None
        labels = self.scores.labels
        if self.clustered:
            return np.zeros(len(self.duplicates.rows), dtype=bool)
        found: Mask = labels[self.duplicates.rows] != labels[self.duplicates.survivors]
        return found

    @property
    def measure(self) -> str:
        """The name of the score."""
        criterion = self.choice.scored_by
        if len(self.selection.source.sets) > 1:
            return "rank by several feature sets"
        return "distance to the class center" if criterion == "center" else f"{criterion} score"

    @property
    def meaning(self) -> str:
        """What the score measures, if its name does not say so."""
        known = self.measure.endswith(" score")
        return CRITERIA[self.choice.scored_by].measures if known else ""

    @property
    def follows_scores(self) -> bool:
        """Whether the strategy selects by the scores, rather than by features or at random."""
        choice = self.choice
        by_rank = isinstance(choice.entry.function, Order) and choice.entry.function.by_rank
        return by_rank or choice.entry.adapts or isinstance(choice.entry.function, Window)

    @property
    def name(self) -> str:
        """The dataset's folder, and the one that it is in."""
        return shown("/".join(self.dataset.home.parts[-2:]))

    @property
    def networks(self) -> str:
        """The networks of the features, with commands between backticks; "" if they are unknown."""
        return " and ".join(_named(one.manifest) for one in self.selection.source.stores)

    def class_names(self) -> list[str]:
        """Names of the classes that occur, as they are shown; the more classes, the shorter."""
        longest = max(8, min(LONGEST_NAME // 2, ALL_NAMES // len(self.labels)))
        return [shown(self.scores.class_name(label), longest) for label in self.labels.tolist()]


def _named(manifest: Manifest) -> str:
    """Return the name of a backbone, and where its weights come from if they are not its own."""
    spec, weights = manifest.spec, shown(manifest.weights.replace("`", "'"))
    if spec.backbone == FITTED:
        return f"`{FITTED}` ({weights} by `moderate fit`)"
    return f"`{spec.backbone}`" + (f" (weights from {weights})" if spec.weights else "")
