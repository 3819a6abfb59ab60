"""Small pictures inside a page, as many as there is room for."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from PIL import Image, ImageOps

from moderate_cli.processors import in_threads
from moderate_cli.quiet import without_warnings
from moderate_cli.sources import read_file

QUALITY = 68


def thumbnails(root: Path, paths: Sequence[str], side: int, room: int) -> list[str]:
    """Make square pictures of so many pixels a side, as data URIs.

    Parameters
    ----------
    root, paths
        The dataset folder, and images relative to it.
    side
        Pixels.
    room
        Characters that all URIs may take together; images for which none is left have "".

    Returns
    -------
    list
        One of each image; "" where it cannot be drawn.
    """
    drawn = in_threads(lambda path: thumbnail(f"{root}/{path}", side), paths)
    with without_warnings(), closing(drawn) as pictures:
        found = list(_within(pictures, room))
    return found + [""] * (len(paths) - len(found))


def _within(pictures: Iterator[str], room: int) -> Iterator[str]:
    for picture in pictures:
        room -= len(picture)
        if room < 0:
            return
        yield picture


def thumbnail(path: str, side: int) -> str:
    """Return the middle square of an image as a data URI, or "" if it cannot be drawn."""
    try:
        content, _ = read_file(path)
        with Image.open(io.BytesIO(content)) as image:
            if image.format == "EPS":  # a program that Ghostscript would run
                return ""
            image.draft("RGB", (side, side))
            square = ImageOps.fit(image.convert("RGB"), (side, side))
    except Exception:  # PIL's many readers raise whatever their parsing runs into
        return ""
    encoded = io.BytesIO()
    square.save(encoded, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
