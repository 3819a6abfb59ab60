"""The facts of a report's first screen: on classes, on labels, on near duplicates."""

from __future__ import annotations

import math
from collections import Counter
from typing import Literal, NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.label_errors.doubts import MANY, noise_estimate
from moderate_cli.reporting.findings import MOST_COMPARED
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.wording import counted, shown, some
from moderate_cli.words import percent, say_doubts, say_hardly_known

STARVED = 0.5  # of the share of all images: a class that keeps less is starved
MOST_NAMED = 3
NO_ROWS: Rows = np.empty(0, np.int64)


class Fact(NamedTuple):
    """A fact.

    Attributes
    ----------
    view
        The part of the page that has the rest of it.
    bad
        Whether it is a problem.
    title, detail
        The fact in a few words, and in sentences.
    rows
        int64 (m,), images that show it, the best first.
    """

    view: Literal["classes", "suspects", "duplicates"]
    bad: bool
    title: str
    detail: str
    rows: Rows = NO_ROWS

    @property
    def has_view(self) -> bool:
        """Whether the page has more of it."""
        return self.view == "classes" or len(self.rows) > 0


def facts(subject: Subject) -> list[Fact]:
    """Return the facts, in the same order on every page."""
    return [_of_classes(subject), _of_labels(subject), _of_duplicates(subject)]


def _of_classes(subject: Subject) -> Fact:
    images, kept = (
        np.bincount(subject.members[mask], minlength=len(subject.labels))
        for mask in (subject.readable, subject.kept)
    )
    names, shares = subject.class_names(), kept / images
    every = f"{100 * kept.sum() / images.sum():.0f} % of all images are kept"
    lowest = np.argsort(shares, kind="stable")

    def told(member: int) -> str:
        part = f"{kept[member]:,} of {images[member]:,}"
        return f"{shown(names[member])} {part} ({100 * shares[member]:.0f} %)"

    starved = lowest[shares[lowest] < STARVED * kept.sum() / images.sum()]
    if len(starved):
        listed = ", ".join(told(member) for member in starved[:MOST_NAMED].tolist())
        more = len(starved) - MOST_NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        share = "" if subject.choice.within_classes else " `--scope class` gives each its share."
        rows = np.flatnonzero((subject.members == starved[0]) & subject.readable)
        title = f"{counted(starved, 'class', 'classes')} {_keep(starved)} few images"
        return Fact("classes", True, title, f"{listed}{rest}; {every}.{share}", rows[:8])
    title = "Each class keeps its share"
    return Fact("classes", False, title, f"Least: {told(int(lowest[0]))}; {every}.")


def _keep(things: Rows) -> str:
    return "keeps" if len(things) == 1 else "keep"


def _of_labels(subject: Subject) -> Fact:
    if subject.suspects is None:
        why = "The classes are clusters." if subject.clustered else "There is only one class."
        return Fact("suspects", False, "Labels were not checked", why)
    rows, found = subject.suspected, noise_estimate(subject.suspects)
    why = ""
    if not math.isnan(found.accuracy):
        why = say_hardly_known(found.accuracy, fit=subject.selection.source.fit_may_help)
    elif not found.agrees:
        why = say_doubts(found)
    if why:
        why = f"{why[0].upper()}{why[1:]}."
    if not len(rows):
        if not math.isnan(found.accuracy):
            return Fact("suspects", True, "The features hardly know the classes", why)
        if why:
            return Fact("suspects", True, "Labels may be wrong", why)
        return Fact("suspects", False, "No likely label errors", "The labels look right.")
    least = "at least " if found.rate > MANY else ""  # errors that follow the looks are missed
    hard = "" if least else ", which hard images alone can cause"
    noise = why or f"Estimated label noise: {least}{percent(found.rate)}{hard}."
    parts = [noise, _fate(subject, rows), _confused(subject), "Review and correct below."]
    kept = bool(subject.kept[rows].any())
    title = f"{counted(rows, 'likely label error')}{'' if kept else ', none kept'}"
    return Fact("suspects", kept or bool(why), title, " ".join(filter(None, parts)), rows[:8])


def _confused(subject: Subject) -> str:
    """Name the pair of classes that most suspects are of."""
    assert subject.suspects is not None
    names, rows = subject.class_names(), subject.suspected
    seen = np.searchsorted(subject.labels, subject.suspects.looks_like[rows]).tolist()
    pairs = Counter(zip(subject.members[rows].tolist(), seen, strict=True))
    ((given, other), count) = max(pairs.items(), key=lambda one: (one[1], -one[0][0], -one[0][1]))
    if count < 2:
        return ""
    return f"Most often: {shown(names[given])} that looks like {shown(names[other])} ({count:,})."


def _fate(subject: Subject, rows: Rows) -> str:
    kept = int(np.count_nonzero(subject.kept[rows]))
    removed = int(np.count_nonzero(~subject.eligible[rows]))
    said = []
    if kept:
        said.append(f"{kept:,} of them {'is' if kept == 1 else 'are'} kept")
    if removed:
        said.append(f"{removed:,} {'was' if removed == 1 else 'were'} removed beforehand")
    elif kept:
        said.append("`--drop-suspects auto` removes them")
    if spared := subject.spared("suspects"):
        said.append(f"{spared:,} stayed because of `--min-per-class`")
    return f"{'; '.join(said)}." if said else ""


def _of_duplicates(subject: Subject) -> Fact:
    found = subject.duplicates
    if found is None:
        return Fact(
            "duplicates",
            False,
            "Near duplicates were not searched for",
            f"With more than {MOST_COMPARED:,} images this takes long; `--dedup 0.95` does it.",
        )
    if not len(found.rows):
        return Fact("duplicates", False, "No near duplicates", "No two images are nearly the same.")
    torn = np.flatnonzero(subject.torn)
    number = counted(found.rows, "near duplicate")
    if subject.choice.dedup is None:
        fate = "`--dedup 0.95` removes them."
    else:
        spared = subject.spared("duplicates")
        gone = len(found.rows) - spared
        stay = f"; {spared:,} stayed because of `--min-per-class`" if spared else ""
        fate = f"{gone:,} {'was' if gone == 1 else 'were'} removed beforehand{stay}."
    order = np.lexsort((found.rows, -found.similarity, ~subject.torn))[:4]
    rows = np.stack([found.rows[order], found.survivors[order]], axis=1).ravel()
    if not len(torn):
        detail = f"Each has the label of the image that it resembles. {fate}"
        return Fact("duplicates", False, number, detail, rows)
    paths = subject.data.paths
    first = torn[np.argsort(-found.similarity[torn], kind="stable")][0]
    pair = some([paths[found.rows[first]]]), some([paths[found.survivors[first]]])
    have = "pair of near duplicates has" if len(torn) == 1 else "pairs of near duplicates have"
    detail = f"So one label of each is wrong: {pair[0]} and {pair[1]}. {number} in all; {fate}"
    kept = subject.kept[found.rows[torn]] | subject.kept[found.survivors[torn]]
    title = f"{len(torn):,} {have} different labels"
    return Fact("duplicates", bool(kept.any()), title, detail, rows)
