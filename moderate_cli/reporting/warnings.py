"""Warnings of a report: problems beside the facts of its first screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from moderate_cli.dataset import sentences
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.wording import counted, shown, some

LONGEST_SENTENCE = 600


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
    if len(rows := subject.unlabeled):
        paths = [subject.data.paths[row] for row in rows.tolist()]
        yield Warned(f"{counted(paths, 'image')} without a label", f"Left out: {some(paths)}.")
    yield from _of_sameness(subject)


def of_pictures(subject: Subject, undrawn: Mapping[int, str]) -> Iterator[Warned]:
    """List the images that have no picture: row -> reason."""
    if undrawn:
        reasons = [f"{shown(subject.data.paths[row])} ({why})" for row, why in undrawn.items()]
        yield Warned(
            f"{counted(reasons, 'image')} without a picture",
            f"They cannot be drawn: {some(reasons)}.",
        )


def _of_listing(subject: Subject) -> Iterator[Warned]:
    for fact, advice in sentences(subject.dataset, clustered=subject.clustered):
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
        title = f"{counted(empty, 'class', 'classes')} without images"
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
