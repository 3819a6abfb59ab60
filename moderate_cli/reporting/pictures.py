"""The images that a report shows: facts and a small picture of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moderate_cli.images.thumbnails import NO_ROOM, Thumbnail, thumbnails
from moderate_cli.reporting.gallery import Shelf
from moderate_cli.reporting.projection import Projection
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.wording import shown

GALLERY_SIDE, MAP_SIDE = 112, 64  # pixels


def image_facts(subject: Subject, row: int) -> dict[str, Any]:
    """Return the facts of an image that a page shows."""
    dropped = "dropped" if subject.eligible[row] else "removed"
    found: dict[str, Any] = {
        "path": shown(subject.data.paths[row]),
        "score": float(f"{subject.scores.values[row]:.6g}"),
        "fate": "kept" if subject.kept[row] else dropped,
        "row": row,
    }
    suspects = subject.suspects
    if suspects is not None and suspects.probability[row] > 0.5:
        found["like"] = shown(subject.scores.class_name(int(suspects.looks_like[row])))
    return found


def pictures(
    subject: Subject, shelves: Mapping[int, Sequence[Shelf]], projection: Projection, room: int
) -> dict[int, Thumbnail]:
    """Draw the images that are shown, by row, as far as there is room; largest in the gallery.

    Parameters
    ----------
    subject, shelves, projection
        The selection, its gallery and its map.
    room
        Characters.
    """
    # The first of each shelf before the second of any, should there not be room for all.
    ranked = sorted(
        (place, member, number, row)
        for member, own in shelves.items()
        for number, shelf in enumerate(own)
        for place, row in enumerate(shelf.rows.tolist())
    )
    large = list(dict.fromkeys(row for *_, row in ranked))
    found = _drawn(subject, large, GALLERY_SIDE, room * 3 // 5)
    small = [row for row in projection.rows.tolist() if row not in found]
    used = sum(len(picture.uri) + len(picture.reason) for picture in found.values())
    return found | _drawn(subject, small, MAP_SIDE, room - used)


def _drawn(subject: Subject, rows: list[int], side: int, room: int) -> dict[int, Thumbnail]:
    paths = [subject.data.paths[row] for row in rows]
    drawn = thumbnails(subject.dataset, paths, side, room)
    return {
        row: picture for row, picture in zip(rows, drawn, strict=True) if picture.reason != NO_ROOM
    }
