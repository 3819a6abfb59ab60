"""Images dropped before the selection: likely label errors and near duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from moderate_cli.arrays import Mask, Rows
from moderate_cli.choosing.earlier import Earlier
from moderate_cli.inputs import Source
from moderate_cli.label_errors.doubts import noise_estimate
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.listening import PATIENCE, Listener
from moderate_cli.notices import Kind, Notice
from moderate_cli.selection.choice import Dropped
from moderate_cli.selection.duplicates import Duplicates, find_duplicates
from moderate_cli.selection.leaving import LeftOut, leave_out


@dataclass(frozen=True)
class Prepared:
    """Images that a strategy selects from.

    Attributes
    ----------
    eligible
        bool (n,), the remaining images.
    left_out
        Dropped images by reason: "suspects", "duplicates".
    duplicates
        Near duplicates, if searched for.
    """

    eligible: Mask
    left_out: Mapping[str, LeftOut]
    duplicates: Duplicates | None = None

    @property
    def images(self) -> int:
        """The number of remaining images."""
        return int(np.count_nonzero(self.eligible))


class Preparer:
    """Drops images before the selection, in each way only once.

    Parameters
    ----------
    source
        All images.
    dedup
        Minimum cosine similarity of near duplicates; None keeps them.
    min_per_class
        Minimum number of images left per class.
    listener
        Hears which images are dropped.
    earlier
        Images that are not dropped.
    """

    def __init__(
        self,
        source: Source,
        dedup: float | None,
        min_per_class: int,
        listener: Listener,
        earlier: Earlier | None = None,
    ) -> None:
        self._source, self._dedup, self._least = source, dedup, min_per_class
        self._listener, self._earlier = listener, earlier
        self._done: dict[Dropped, Prepared] = {}

    def prepare(self, dropped: Dropped) -> Prepared:
        """Drop suspects, all likely ones or a fraction of all images, then near duplicates."""
        if dropped not in self._done:
            self._done[dropped] = self._prepare(dropped)
        return self._done[dropped]

    def _prepare(self, dropped: Dropped) -> Prepared:
        eligible, left_out, duplicates = self._source.readable, {}, None
        if dropped is not None:
            found = self.suspects.most_probable(dropped)
            left_out["suspects"] = one = self._leave_out(found, eligible)
            eligible[one.rows] = False
            left = int(np.count_nonzero(eligible))
            self._listener.notice(Notice("suspects", len(one.rows), left))
            if dropped == "auto":
                tell_of_doubts(self.suspects, self._source, self._listener)
            self._tell("suspects", found, one, eligible)
        if self._dedup is not None:
            duplicates = self._find_duplicates(eligible, self._dedup)
            # Later copies are dropped first, so that a class with nothing else keeps the first one.
            left_out["duplicates"] = one = self._leave_out(duplicates.rows[::-1], eligible)
            eligible[one.rows] = False
            self._tell("duplicates", duplicates.rows, one, eligible)
        return Prepared(eligible, left_out, duplicates)

    def _leave_out(self, rows: Rows, eligible: Mask) -> LeftOut:
        """Leave out rows, in their order, but those of the earlier selection."""
        if self._earlier is not None:
            rows = rows[~self._earlier.mask[rows]]
        return leave_out(rows, self._source.labels, eligible, self._least)

    @cached_property
    def suspects(self) -> Suspects:
        """The probability of each image, dropped or not, that its label is wrong."""
        with self._listener.progress("suspects", unit="step", delay=PATIENCE) as move:
            return self._source.sets[0].suspects(on_progress=move)

    def _find_duplicates(self, eligible: Mask, threshold: float) -> Duplicates:
        features = self._source.features
        assert features is not None
        with self._listener.progress("duplicates", delay=PATIENCE) as move:
            found = find_duplicates(features, np.flatnonzero(eligible), threshold, move)
        tell_of_duplicates(found, self._source, self._listener)
        return found

    def _tell(
        self, what: Literal["suspects", "duplicates"], found: Rows, one: LeftOut, eligible: Mask
    ) -> None:
        """Notify of found images that stay, and of classes without an image left."""
        labels = self._source.labels
        stay = len(found) - len(one.rows) - len(one.spared)
        if self._earlier is not None and stay:
            kind: Kind = "earlier suspects" if what == "suspects" else "earlier duplicates"
            self._listener.notice(Notice(kind, stay, names=(self._earlier.name,)))
        if len(one.spared):
            classes = self._source.classes_of(one.spared)
            kind = "spared suspects" if what == "suspects" else "spared duplicates"
            notice = Notice(kind, len(one.spared), classes=classes, least=self._least)
            self._listener.notice(notice)
        lost = one.rows[~np.isin(labels[one.rows], labels[eligible])]
        if len(lost):
            kind = "lost to suspects" if what == "suspects" else "lost to duplicates"
            self._listener.notice(Notice(kind, len(lost), classes=self._source.classes_of(lost)))


def tell_of_doubts(found: Suspects, source: Source, listener: Listener) -> None:
    """Warn if features hardly know the classes, or the label noise disagrees with the suspects."""
    noise = noise_estimate(found)
    if found.hardly_known:
        tell_of_features(found, source, listener)
    elif not noise.agrees:
        notice = Notice("doubtful suspects", noise.suspects, noise.images, share=noise.rate)
        listener.notice(notice)


def tell_of_features(found: Suspects, source: Source, listener: Listener) -> None:
    """Warn that features hardly know the classes."""
    names = ("moderate fit",) if source.fit_may_help else ()
    listener.notice(Notice("hardly known", names=names, share=found.accuracy))


def tell_of_duplicates(found: Duplicates, source: Source, listener: Listener) -> None:
    """Notify of near duplicates, and of pairs with different labels."""
    listener.notice(Notice("duplicates", len(found.rows), len(np.unique(found.survivors))))
    torn = torn_duplicates(found, source)
    if torn:
        listener.notice(Notice("torn duplicates", len(torn), names=tuple(torn)))


def torn_duplicates(found: Duplicates, source: Source) -> list[str]:
    """Return the pairs of near duplicates with different labels, as "a and b"."""
    torn = np.flatnonzero(source.labels[found.rows] != source.labels[found.survivors])
    rows: Rows = np.stack([found.rows[torn], found.survivors[torn]], axis=1).reshape(-1)
    names = list(source.names_of(rows))
    return [f"{one} and {other}" for one, other in zip(names[::2], names[1::2], strict=True)]
