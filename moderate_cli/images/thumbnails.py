"""Thumbnails for a page, as many as fit."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import chain, repeat
from typing import NamedTuple

from PIL import ImageOps

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.sources import FILES, NotAFile, Source
from moderate_cli.images.memory import tried_twice
from moderate_cli.images.opening import TooManyPixels, UnreadableImage, megapixels, opened
from moderate_cli.images.orientation import orientation_of, upright
from moderate_cli.images.pixels import to_rgb
from moderate_cli.images.quiet import without_warnings
from moderate_cli.images.strips import middle
from moderate_cli.networks.table import EXIF, IGNORE
from moderate_cli.threads import in_threads

Progress = Callable[[int, int], None]

QUALITY = 68
EFFORT = 2  # of 6: by a third faster than the default of 4, and 5 % larger
NO_ROOM = "no room for its picture on this page"


class Thumbnail(NamedTuple):
    """A small picture.

    Attributes
    ----------
    uri
        The picture as a data URI; "" if it cannot be drawn.
    reason
        The reason why it cannot be drawn; else "".
    """

    uri: str
    reason: str = ""


def thumbnails(
    dataset: Dataset,
    paths: Sequence[str],
    side: int,
    room: int,
    beside: Iterable[int] = (),
    *,
    orientation: str = IGNORE,
    on_progress: Progress | None = None,
) -> list[Thumbnail]:
    """Draw thumbnails of whole images, none larger than its image.

    Parameters
    ----------
    dataset, paths
        Images of a dataset, local or remote.
    side
        Maximum width and height in pixels.
    room
        Maximum length of all thumbnails together, in characters.
    beside
        Characters that each of them takes in addition; none if empty.
    orientation
        One of `moderate_cli.networks.table.ORIENTATIONS`.
    on_progress
        Called with the number drawn so far, and about the number that there is room for.

    Returns
    -------
    list of Thumbnail
        One for each image.
    """
    top, source = dataset.root, dataset.source
    drawn = in_threads(lambda path: thumbnail(f"{top}/{path}", side, source, orientation), paths)
    found: list[Thumbnail] = []
    used = 0
    with without_warnings(), closing(drawn) as pictures:
        for picture, more in zip(pictures, chain(beside, repeat(0)), strict=False):
            used += len(picture.uri) + len(picture.reason) + more
            if used > room:
                break
            found.append(picture)
            if on_progress is not None:
                on_progress(len(found), min(len(paths), len(found) * room // max(used, 1)))
    return found + [Thumbnail("", NO_ROOM)] * (len(paths) - len(found))


def thumbnail(name: str, side: int, source: Source = FILES, orientation: str = IGNORE) -> Thumbnail:
    """Draw an image, of a strip the middle, or return the reason why not."""
    try:
        content, _ = source.read(name)
        return Thumbnail(
            tried_twice(lambda least_room: _drawn(content, side, orientation, least_room))
        )
    except TooManyPixels as error:
        return Thumbnail("", f"has {megapixels(error.pixels)}, too many for a thumbnail")
    except (UnreadableImage, NotAFile) as error:
        return Thumbnail("", str(error))
    except MemoryError:
        return Thumbnail("", "needs more memory than there is")
    except OSError as error:
        return Thumbnail("", error.strerror or str(error))


def _drawn(content: bytes, side: int, orientation: str, least_room: int) -> str:
    encoded = io.BytesIO()
    with opened(content, least_room=least_room) as image:
        image.draft("RGB", (side, side))
        picture = to_rgb(image, middle(image.size))
        if max(picture.size) > side:
            picture = ImageOps.contain(picture, (side, side))
        if orientation == EXIF:
            picture = upright(picture, orientation_of(image))
        # No profile, which may be larger than the picture, and no facts about the photographer.
        plain = {"icc_profile": b"", "exif": b""}
        picture.save(encoded, "WEBP", quality=QUALITY, method=EFFORT, **plain)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
