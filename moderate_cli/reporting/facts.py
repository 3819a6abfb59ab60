"""What a report says of a selection, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, Rows
from moderate_cli.dataset import Dataset, sentences
from moderate_cli.label_errors.doubts import discrepancy, percent
from moderate_cli.label_errors.suspects import MANY_STRANGERS, Suspects
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores
from moderate_cli.selection.duplicates import Duplicates, find_duplicates
from moderate_cli.text import printable

NEAR = 0.95  # cosine from which on two images are near duplicates
MOST_COMPARED = 20_000  # images: comparing all with all takes time that grows with the square
MOST_NAMED, LONGEST_NAME = 8, 120
LONGEST_SENTENCE = 600
MOST_CLASSES, ALL_NAMES = 65_536, 600_000  # characters


@dataclass(frozen=True)
class Subject:
    """A selection that is to be shown.

    Attributes
    ----------
    dataset
        Where the images are.
    data
        Their features and classes; of several feature sets the first.
    scores
        Of all images; NaN of those that cannot be read.
    eligible
        bool (n,), what could be kept: what can be read, and was not left out first.
    kept
        bool (n,).
    how
        What `select` was given.
    rescued, lost
        Classes that would be empty but for the least that each keeps, and those that are.
    several_sets
        Whether scores come from several feature sets.
    dedup
        Near duplicates that were to be left out first, if so asked.
    spared
        How many suspects and how many near duplicates stay all the same, for the sake of their
        class: "suspects" or "near duplicates" -> number.
    on_progress
        Told how far the search for suspects is.
    unreadable
        Path -> reason.
    options
        What else led to this selection: name -> value.
    """

    dataset: Dataset
    data: LabeledFeatures
    scores: Scores
    eligible: Mask
    kept: Mask
    how: Mapping[str, Any]
    rescued: Sequence[int] = ()
    lost: Sequence[int] = ()
    several_sets: bool = False
    dedup: Duplicates | None = None
    spared: Mapping[str, int] = field(default_factory=dict)
    on_progress: Callable[[int, int], None] | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def readable(self) -> Mask:
        """Bool (n,), whether an image has a score."""
        return ~np.isnan(self.scores.values)

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Classes that occur, ascending."""
        return np.unique(self.scores.labels[self.readable])

    @cached_property
    def members(self) -> Rows:
        """int64 (n,), the position of each image's class in `labels`."""
        return np.searchsorted(self.labels, self.scores.labels)

    @property
    def measure(self) -> str:
        """What a score is."""
        criterion = self.options.get("criterion", "center")
        if self.several_sets:
            return "rank by several feature sets"
        return "distance to the class center" if criterion == "center" else f"{criterion} score"

    @property
    def name(self) -> str:
        """The dataset's folder, and the one that it is in."""
        return shown("/".join(self.dataset.root.parts[-2:]))

    def class_names(self) -> list[str]:
        """Names of the classes that occur, as they are shown; the shorter the more there are."""
        longest = max(8, min(LONGEST_NAME // 2, ALL_NAMES // len(self.labels)))
        return [shown(self.scores.class_name(label), longest) for label in self.labels.tolist()]

    @cached_property
    def suspects(self) -> Suspects | None:
        """Which labels are probably wrong; None where there is nothing to say of that."""
        if self.data.labeling or len(self.labels) < 2:
            return None
        return self.data.suspects(seed=self.how["seed"], on_progress=self.on_progress)

    @cached_property
    def suspected(self) -> Rows:
        """Rows of the images whose label is more probably wrong than not, the surest first."""
        return np.empty(0, np.int64) if self.suspects is None else self.suspects.most_probable()

    @cached_property
    def duplicates(self) -> Duplicates | None:
        """Near duplicates; None where there are too many images to compare."""
        rows = np.flatnonzero(self.readable)
        if self.dedup is not None or len(rows) > MOST_COMPARED:
            return self.dedup
        self.data.check()
        return find_duplicates(self.data.features, rows, NEAR)


class ClassFacts(NamedTuple):
    """One class in numbers.

    Attributes
    ----------
    name
        As it is shown.
    images, eligible, kept, suspects
        How many: readable, that could be kept, kept, and with a probably wrong label.
    low, median, high
        Quartiles of the scores.
    """

    name: str
    images: int
    eligible: int
    kept: int
    suspects: int
    low: float
    median: float
    high: float


def class_facts(subject: Subject) -> list[ClassFacts]:
    """Return the numbers of each class that occurs."""
    names, members = subject.class_names(), subject.members
    every = len(names)
    masks = (subject.readable, subject.eligible, subject.kept)
    images, eligible, kept = (np.bincount(members[mask], minlength=every) for mask in masks)
    suspects = np.bincount(members[subject.suspected], minlength=every)
    rows = np.flatnonzero(subject.readable)
    values = subject.scores.values[rows]
    order = np.argsort(members[rows], kind="stable")
    groups = np.split(values[order], np.cumsum(images)[:-1])
    quartiles = [np.quantile(group, (0.25, 0.5, 0.75)).tolist() for group in groups]
    counts = (images, eligible, kept, suspects)
    return [
        ClassFacts(
            name,
            *(int(column[at]) for column in counts),
            *(float(f"{value:.6g}") for value in quartiles[at]),
        )
        for at, name in enumerate(names)
    ]


class Warned(NamedTuple):
    """What the reader should know.

    Attributes
    ----------
    title
        The fact.
    detail
        What it concerns, and what to do about it.
    """

    title: str
    detail: str


def warnings(subject: Subject) -> Iterator[Warned]:
    """Say what may be wrong with the data, or with what is kept of it."""
    yield from _of_listing(subject)
    yield from _of_classes(subject)
    if subject.unreadable:
        reasons = [f"{path} ({reason})" for path, reason in subject.unreadable.items()]
        yield Warned(f"{_count(reasons, 'image')} cannot be read", f"Left out: {_some(reasons)}.")
    yield from _of_sameness(subject)
    yield from _of_suspects(subject)
    yield from _of_duplicates(subject)


def of_pictures(subject: Subject, undrawn: Mapping[int, str]) -> Iterator[Warned]:
    """Say which images have no small picture, by row, and why."""
    if undrawn:
        reasons = [f"{shown(subject.data.paths[row])} ({why})" for row, why in undrawn.items()]
        yield Warned(
            f"{_count(reasons, 'picture')} cannot be drawn",
            f"They are shown without one: {_some(reasons)}.",
        )


def _of_listing(subject: Subject) -> Iterator[Warned]:
    for fact, advice in sentences(subject.dataset, clustered=bool(subject.data.labeling)):
        title, detail = (_capital(text, subject.dataset.classes) for text in (fact, advice))
        yield Warned(shown(title, LONGEST_SENTENCE), f"{detail}." if detail else "")


def _capital(text: str, names: Sequence[str]) -> str:
    """Begin a sentence with a capital, but not where a class, a path or a command stands first."""
    first = text.partition(" ")[0]
    named = first in names or "/" in first or first == "pip"
    return text if named else text[:1].upper() + text[1:]


def _of_classes(subject: Subject) -> Iterator[Warned]:
    scores, empty = subject.scores, subject.dataset.empty_classes
    fates = (
        (subject.rescued, "would be left empty", "An image or more of each is kept all the same"),
        (subject.lost, "is left empty", "Keep more images, or take --scope class"),
    )
    for labels, fate, detail in fates:
        if labels:
            names = [scores.class_name(label) for label in labels]
            few = _count(names, "class", "classes")
            yield Warned(f"{few} {_verb(names, fate)}", f"{detail}: {_some(names)}.")
    if empty:
        few = _count(empty, "class folder", "class folders")
        yield Warned(f"{few} without images", f"{_some(empty)}.")


def _verb(names: Sequence[str], fate: str) -> str:
    return fate.replace("is ", "are ") if len(names) > 1 else fate


def _of_sameness(subject: Subject) -> Iterator[Warned]:
    *of_classes, of_all = subject.data.coinciding().tolist()
    detail = "Nothing can be told by them; are the pictures blank, or copies of one?"
    if of_all:
        yield Warned(f"{int(of_all):,} images have the same features", detail)
        return
    every = np.unique(subject.data.labels).tolist()
    same = [
        subject.scores.class_name(label)
        for label, count in zip(every, of_classes, strict=True)
        if count
    ]
    if same:
        title = f"{_count(same, 'class', 'classes')} of images with the same features"
        yield Warned(title, f"{detail} {_some(same)}.")


def _of_suspects(subject: Subject) -> Iterator[Warned]:
    if subject.suspects is None:
        return
    rows, why = subject.suspected, discrepancy(subject.suspects)
    sentence = _sentence(why or f"{percent(subject.suspects.noise_rate)} of all labels are wrong")
    if len(rows):
        kept = int(np.count_nonzero(subject.kept[rows]))
        left = int(np.count_nonzero(~subject.eligible[rows]))
        fate = f"{_left_out(left)}." if left else "--drop-suspects auto leaves them out."
        if spared := subject.spared.get("suspects", 0):
            fate += f" {spared:,} {_stay(spared)}."
        yield Warned(
            f"{_count(rows, 'image')} probably with a wrong label",
            f"{sentence} {kept:,} of the suspects are kept. {fate}",
        )
    elif why:
        yield Warned("Labels may be wrong, but no image is surely a suspect", sentence)
    share = subject.data.strangers()
    if share > MANY_STRANGERS:
        yield Warned(
            f"{100 * share:.0f} % of images lie nearer to most other classes than to their own",
            "Labels may be wrong, or the features do not know these classes: try another --backbone"
            " or --weights.",
        )


def _of_duplicates(subject: Subject) -> Iterator[Warned]:
    found = subject.duplicates
    if found is None:
        yield Warned(
            "Near duplicates were not searched for",
            f"There are more than {MOST_COMPARED:,} images, and comparing all with all takes long;"
            " --dedup does it.",
        )
        return
    if len(found.rows) == 0:
        return
    labels, paths = subject.data.labels, subject.data.paths
    torn = np.flatnonzero(labels[found.rows] != labels[found.survivors]).tolist()
    pairs = [f"{paths[found.rows[at]]} and {paths[found.survivors[at]]}" for at in torn]
    have = "has" if len(torn) == 1 else "have"
    detail = f"{len(torn):,} {have} another class than their twin: " if torn else ""
    fate = "--dedup leaves them out."
    if subject.dedup:
        fate = "They were left out first."
        if spared := subject.spared.get("near duplicates", 0):
            fate = f"{_left_out(len(found.rows) - spared)}; {spared:,} {_stay(spared)}."
    yield Warned(
        _count(found.rows, "near duplicate"), f"{detail}{_some(pairs)}{'. ' if torn else ''}{fate}"
    )


def _left_out(number: int) -> str:
    return f"{number:,} {'was' if number == 1 else 'were'} left out first"


def _stay(number: int) -> str:
    verb = "stays" if number == 1 else "stay"
    return f"{verb}, so that each class keeps --min-per-class"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def shown(name: str, longest: int = LONGEST_NAME) -> str:
    r"""Return a name that is safe to show and not too long.

    >>> shown("a\u202eb.jpg"), len(shown(300 * "x"))
    ('a\\u202eb.jpg', 120)
    """
    text = printable(name)
    half = longest // 2
    return text if len(text) <= longest else f"{text[: half - 1]}…{text[-half:]}"


def _count(things: Sequence[Any] | Rows, one: str, more: str = "") -> str:
    return f"{len(things):,} {one if len(things) == 1 else more or one + 's'}"


def _some(names: Sequence[str]) -> str:
    found = ", ".join(shown(name) for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{found} and {more:,} more" if more > 0 else found
