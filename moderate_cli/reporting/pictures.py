"""The images of a report: facts and a small picture of each."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.images.thumbnails import NO_ROOM, Progress, thumbnails
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.wording import shown

SIDE = 224  # pixels, as many as most networks see
FACTS = 100  # bytes of numbers, of each image


def image_facts(subject: Subject, rows: Rows, listed: int) -> dict[str, Any]:
    """Return what a page says of some images, each fact as a list over them.

    Paths are as they can be shown; the bytes of those that are something else are in `exact`, in
    base64, by position, for the first `listed` images, which a user can mark.
    """
    paths = [subject.data.paths[row] for row in rows.tolist()]
    names = [shown(path) for path in paths]
    fates = np.where(subject.kept, 0, np.where(subject.eligible, 1, 2))[rows]
    exact = {at: base64_of(path) for at, path in enumerate(paths[:listed]) if path != names[at]}
    scores = [float(f"{value:.6g}") for value in subject.scores.values[rows].tolist()]
    found: dict[str, Any] = {
        "path": names,
        "exact": exact,
        "member": subject.members[rows].tolist(),
        "score": scores,
        "fate": fates.tolist(),
    }
    if subject.suspects is not None:
        seen = np.searchsorted(subject.labels, subject.suspects.looks_like[rows])
        wrong = np.nan_to_num(subject.suspects.probability[rows])
        found["wrong"] = np.round(wrong, 3).tolist()
        found["suspect"] = (wrong > 0.5).astype(int).tolist()
        found["seen"] = seen.tolist()
    if subject.duplicates is not None:
        found["twins"] = _twins(subject, rows)
    return found


def base64_of(name: str) -> str:
    """Return the bytes of a name, which may be no text, as text."""
    return base64.b64encode(name.encode(errors="surrogateescape")).decode()


class Album(NamedTuple):
    """Images with their pictures, in the order of the dataset.

    Attributes
    ----------
    rows
        int64 (m,).
    pictures
        Each as a data URI; "" if it cannot be drawn.
    undrawn
        Row -> the reason why.
    """

    rows: Rows
    pictures: list[str]
    undrawn: dict[int, str]


def album(subject: Subject, rows: Rows, room: int, on_progress: Progress | None = None) -> Album:
    """Draw images, from the first, as many as there is room for.

    Parameters
    ----------
    subject, rows
        The selection, and the images.
    room
        Characters.
    on_progress
        Called with the number drawn so far, and about the number of all.
    """
    paths: Sequence[str] = [subject.data.paths[row] for row in rows.tolist()]
    drawn = thumbnails(
        subject.dataset,
        paths,
        SIDE,
        room,
        map(_room_for, paths),
        orientation=subject.orientation,
        on_progress=on_progress,
    )
    drawn = [picture for picture in drawn if picture.reason != NO_ROOM]
    order = np.argsort(rows[: len(drawn)], kind="stable")
    pairs = zip(rows.tolist(), drawn, strict=False)
    return Album(
        rows[order],
        [drawn[at].uri for at in order.tolist()],
        {row: shown(picture.reason) for row, picture in pairs if picture.reason},
    )


def _room_for(path: str) -> int:
    """Return the bytes that the facts of an image take."""
    name = shown(path)
    return len(json.dumps(name)) + FACTS + (len(base64_of(path)) if name != path else 0)


def _twins(subject: Subject, rows: Rows) -> list[list[float]]:
    """Return pairs of images that are both shown: [one, the earlier one, similarity]."""
    found = subject.duplicates
    assert found is not None
    at = {row: place for place, row in enumerate(rows.tolist())}
    table = zip(found.rows.tolist(), found.survivors.tolist(), found.similarity, strict=True)
    return [
        [at[one], at[other], round(float(cosine), 4)]
        for one, other, cosine in table
        if one in at and other in at
    ]
