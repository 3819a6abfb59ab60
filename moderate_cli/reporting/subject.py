"""The selection that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from moderate_cli.arrays import Labels, Mask, Rows
from moderate_cli.choosing import Selection
from moderate_cli.dataset import Dataset
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting.wording import LONGEST_NAME, shown
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import CRITERIA, Scores
from moderate_cli.selection import Choice
from moderate_cli.selection.duplicates import Duplicates

ALL_NAMES = 600_000  # characters


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
    options
        Options that led to this selection: name -> value.
    """

    selection: Selection
    suspects: Suspects | None = None
    duplicates: Duplicates | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def dataset(self) -> Dataset:
        """The images."""
        assert self.selection.dataset is not None
        return self.selection.dataset

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
    def name(self) -> str:
        """The dataset's folder, and the one that it is in."""
        return shown("/".join(self.dataset.home.parts[-2:]))

    def class_names(self) -> list[str]:
        """Names of the classes that occur, as they are shown; the more classes, the shorter."""
        longest = max(8, min(LONGEST_NAME // 2, ALL_NAMES // len(self.labels)))
        return [shown(self.scores.class_name(label), longest) for label in self.labels.tolist()]
