"""What is left out before anything is chosen, and what the user is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from moderate_cli.arrays import Mask, Rows
from moderate_cli.cli import console
from moderate_cli.cli.inputs import Source, tell_of_duplicates
from moderate_cli.label_errors.doubts import discrepancy
from moderate_cli.label_errors.suspects import MANY_STRANGERS, MOSTLY_STRANGERS, Suspects
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores
from moderate_cli.selection.duplicates import Duplicates, find_duplicates
from moderate_cli.selection.leaving import LeftOut, leave_out

Dropped = Fraction | Literal["auto"] | None
PATIENCE = 2.0  # seconds, after which a bar is shown
MOST_NAMED = 10  # classes in a line


class Prepared(NamedTuple):
    """What a strategy chooses from.

    Attributes
    ----------
    found
        All images, and their scores.
    eligible
        The same, without what was left out before anything was chosen.
    left_out
        What that is, by what it was found to be: "suspects", "near duplicates".
    duplicates
        Near duplicates, if they were left out.
    options
        The criterion, and which suspects were left out, if any.
    """

    found: Source
    eligible: Source
    left_out: Mapping[str, LeftOut]
    duplicates: Duplicates | None
    options: dict[str, Any]


class Leaving:
    """Leaves out what shall not be chosen from, once in each way that strategies ask for.

    Parameters
    ----------
    found
        What there is; its scores play no part.
    dedup
        Similarity from which on near duplicates are left out; None leaves them in.
    min_per_class
        Of each class at least so many images stay.
    seed
        For what suspects are found with.
    """

    def __init__(
        self, found: Source, *, dedup: float | None, min_per_class: int, seed: int
    ) -> None:
        self._found, self._dedup, self._least, self._seed = found, dedup, min_per_class, seed
        self._done: dict[Dropped, tuple[dict[str, LeftOut], Duplicates | None]] = {}

    def prepare(self, scored: Source, criterion: str, dropped: Dropped) -> Prepared:
        """Leave images out of the source, scored by this criterion; say so the first time."""
        if dropped not in self._done:
            self._done[dropped] = self._leave_out(dropped)
        left_out, duplicates = self._done[dropped]
        values = scored.scores.values.copy()
        for one in left_out.values():
            values[one.rows] = np.nan
        eligible = scored._replace(scores=replace(scored.scores, values=values))
        used = {"criterion": criterion, "drop-suspects": dropped}
        return Prepared(scored, eligible, left_out, duplicates, used)

    def suspects(self, dropped: Fraction | Literal["auto"]) -> LeftOut:
        """Return which suspects are left out, and which must stay."""
        rows = self._suspects.most_probable(dropped)
        return leave_out(rows, self._found.scores.labels, self._found.readable, self._least)

    @cached_property
    def _suspects(self) -> Suspects:
        return suspects_of(self._found.sets[0], self._seed)

    def _leave_out(self, dropped: Dropped) -> tuple[dict[str, LeftOut], Duplicates | None]:
        left_out, duplicates, eligible = {}, None, self._found.readable
        if dropped is None:
            _warn_of_strangers(self._found)
        else:
            left_out["suspects"] = one = self.suspects(dropped)
            eligible[one.rows] = False
            number = console.count(len(one.rows), "suspect is", "suspects are")
            why = discrepancy(self._suspects) if dropped == "auto" else ""
            console.note(f"{number} left out{'; ' if why else ''}{why}")
            self._tell_of_classes(eligible, one, "suspect", "suspects")
        if self._dedup is not None:
            duplicates = _duplicates(self._found, eligible, self._dedup)
            labels = self._found.scores.labels
            # Later copies go first, so that a class that has nothing else keeps its first one.
            left_out["near duplicates"] = one = leave_out(
                duplicates.rows[::-1], labels, eligible, self._least
            )
            eligible[one.rows] = False
            self._tell_of_classes(eligible, one, "near duplicate", "near duplicates")
        return left_out, duplicates

    def _tell_of_classes(self, eligible: Mask, left_out: LeftOut, one: str, more: str) -> None:
        """Say which classes keep some that should go, and of which none is left."""
        scores = self._found.scores
        if len(left_out.spared):
            number = console.count(len(left_out.spared), f"{one} stays", f"{more} stay")
            console.note(
                f"{number}, so that each class keeps --min-per-class {self._least}:"
                f" {_by_class(scores, left_out.spared)}"
            )
        labels = scores.labels
        lost = left_out.rows[~np.isin(labels[left_out.rows], labels[eligible])]
        if len(lost):
            number = console.count(len(np.unique(labels[lost])), "class", "classes")
            console.note(
                f"no image is left of {number} without {more}: {_by_class(scores, lost)};"
                " --min-per-class 1 keeps one of each"
            )


def suspects_of(features: LabeledFeatures, seed: int) -> Suspects:
    """Find suspects, with a bar where that takes long."""
    with console.progress("suspects", unit="step", delay=PATIENCE) as move:
        return features.suspects(seed=seed, on_progress=move)


def _by_class(scores: Scores, rows: Rows) -> str:
    """Name the classes of images, the one with most of them first, and how many each has."""
    found, counts = np.unique(scores.labels[rows], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    named = [
        f"{scores.class_name(label)} {count}"
        for label, count in zip(found[order].tolist(), counts[order].tolist(), strict=True)
    ]
    more = f" and {len(named) - MOST_NAMED} classes more" if len(named) > MOST_NAMED else ""
    return f"{', '.join(named[:MOST_NAMED])}{more}"


def _warn_of_strangers(found: Source) -> None:
    """Say so where labels look wrong, by a test that takes no time."""
    if not found.sets or found.sets[0].labeling:
        return
    share = min(features.strangers() for features in found.sets)
    if share > MANY_STRANGERS:
        advice = "are labels wrong? See 'moderate suspects', and --drop-suspects auto"
        if share > MOSTLY_STRANGERS:
            advice = "do the features know these classes? Another --backbone, or --weights, may"
        console.note(
            f"{100 * share:.0f} % of images lie nearer to most other classes than to their own;"
            f" {advice}"
        )


def _duplicates(found: Source, eligible: Mask, threshold: float) -> Duplicates:
    scores, features = found.scores, found.features
    assert features is not None
    with console.progress("duplicates", delay=PATIENCE) as move:
        duplicates = find_duplicates(features, np.flatnonzero(eligible), threshold, move)
    names = scores.paths or list(scores.names(np.arange(len(scores))))
    tell_of_duplicates(duplicates, scores.labels, names)
    return duplicates
