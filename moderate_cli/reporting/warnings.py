"""Warnings of a report: problems of the data, and of the selection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from moderate_cli.dataset import sentences
from moderate_cli.label_errors.doubts import noise_estimate
from moderate_cli.reporting.findings import MOST_COMPARED
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.wording import counted, shown, some
from moderate_cli.words import percent, say_doubts, say_hardly_known

LONGEST_SENTENCE = 600
MOST_PAIRS = 3  # that are named, each by two paths


class Warned(NamedTuple):
    """A warning.

    Attributes
    ----------
    title
        The fact.
    detail
        The images or classes that it concerns, and the remedy.
    """

    title: str
    detail: str


def warnings(subject: Subject) -> Iterator[Warned]:
    """Find problems of the data, and of the selection."""
    yield from _of_listing(subject)
    yield from _of_classes(subject)
    if subject.unreadable:
        reasons = [f"{path} ({reason})" for path, reason in subject.unreadable.items()]
        yield Warned(counted(reasons, "unreadable image"), f"Left out: {some(reasons)}.")
    yield from _of_sameness(subject)
    yield from _of_suspects(subject)
    yield from _of_duplicates(subject)


def of_pictures(subject: Subject, undrawn: Mapping[int, str]) -> Iterator[Warned]:
    """List the images that have no picture: row -> reason."""
    if undrawn:
        reasons = [f"{shown(subject.data.paths[row])} ({why})" for row, why in undrawn.items()]
        yield Warned(
            f"{counted(reasons, 'image')} without a picture",
            f"They cannot be drawn: {some(reasons)}.",
        )


def _of_listing(subject: Subject) -> Iterator[Warned]:
    for fact, advice in sentences(subject.dataset, clustered=bool(subject.data.labeling)):
        title, detail = (_capital(text, subject.dataset.classes) for text in (fact, advice))
        yield Warned(shown(title, LONGEST_SENTENCE), f"{detail}." if detail else "")


def _capital(text: str, names: Sequence[str]) -> str:
    """Begin a sentence with a capital, unless its first word is a class, a path or a command."""
    first = text.partition(" ")[0]
    named = first in names or "/" in first or first == "pip"
    return text if named else text[:1].upper() + text[1:]


def _of_classes(subject: Subject) -> Iterator[Warned]:
    def named(labels: Sequence[int]) -> tuple[str, str]:
        names = [subject.scores.class_name(label) for label in labels]
        return counted(names, "class", "classes"), some(names)

    if subject.selection.rescued:
        number, names = named(subject.selection.rescued)
        yield Warned(
            f"The selection would contain no image of {number}",
            f"At least one image of each was added: {names}.",
        )
    if subject.selection.lost:
        number, names = named(subject.selection.lost)
        shares = "" if subject.choice.within_classes else ", or use --scope class"
        yield Warned(f"No image of {number} is kept", f"Keep more images{shares}: {names}.")
    if empty := subject.dataset.empty_classes:
        title = f"{counted(empty, 'class folder')} without images"
        yield Warned(title, f"{some(empty)}.")


def _of_sameness(subject: Subject) -> Iterator[Warned]:
    *of_classes, of_all = subject.data.coinciding().tolist()
    detail = "Features cannot tell them apart. Are the images blank, or copies of each other?"
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
        title = f"{counted(same, 'class', 'classes')} of images with the same features"
        yield Warned(title, f"{detail} {some(same)}.")


def _of_suspects(subject: Subject) -> Iterator[Warned]:
    if subject.suspects is None:
        return
    rows, found = subject.suspected, noise_estimate(subject.suspects)
    noise = f"Estimated label noise: {percent(found.rate)}."
    why = ""
    if not math.isnan(found.accuracy):
        why = say_hardly_known(found.accuracy)
    elif not found.agrees:
        why = say_doubts(found)
    if why:
        noise = f"{why[0].upper()}{why[1:]}."
    if len(rows):
        kept = int(np.count_nonzero(subject.kept[rows]))
        removed = int(np.count_nonzero(~subject.eligible[rows]))
        fate = f" {_removed(removed)}." if removed else ""
        if kept and not removed:
            fate = " --drop-suspects auto removes them."
        if spared := subject.spared("suspects"):
            fate += f" {spared:,} {_stay(spared)}."
        keeps = f"The selection keeps {f'{kept:,}' if kept else 'none'} of them."
        yield Warned(counted(rows, "likely label error"), f"{noise} {keeps}{fate}")
    elif not math.isnan(found.accuracy):
        yield Warned("Features hardly know the classes", noise)
    elif why:
        yield Warned("Labels may be wrong, but no single image is a likely label error", noise)


def _of_duplicates(subject: Subject) -> Iterator[Warned]:
    found = subject.duplicates
    if found is None:
        yield Warned(
            "Near duplicates were not searched for",
            f"With more than {MOST_COMPARED:,} images this takes long; --dedup 0.95 does it.",
        )
        return
    if len(found.rows) == 0:
        return
    labels, paths = subject.data.labels, subject.data.paths
    differ = np.flatnonzero(labels[found.rows] != labels[found.survivors]).tolist()
    pairs = [f"{paths[found.rows[at]]} and {paths[found.survivors[at]]}" for at in differ]
    detail = ""
    if pairs:
        number = counted(pairs, "pair has", "pairs have")
        detail = f"{number} different labels, so one label is wrong: {some(pairs, MOST_PAIRS)}. "
    fate = "--dedup 0.95 removes them."
    if subject.choice.dedup is not None:
        spared = subject.spared("duplicates")
        stay = f"; {spared:,} {_stay(spared)}" if spared else ""
        fate = f"{_removed(len(found.rows) - spared)}{stay}."
    yield Warned(counted(found.rows, "near duplicate"), f"{detail}{fate}")


def _removed(number: int) -> str:
    return f"{number:,} {'was' if number == 1 else 'were'} removed beforehand"


def _stay(number: int) -> str:
    verb = "stays" if number == 1 else "stay"
    return f"{verb}, so that each class keeps --min-per-class"
