"""Thumbnails for a page, as many as fit."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from PIL import ImageOps

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.sources import FILES, NotAFile, Source
from moderate_cli.images.memory import tried_twice
from moderate_cli.images.opening import TooManyPixels, UnreadableImage, megapixels, opened
from moderate_cli.images.pixels import to_rgb
from moderate_cli.images.quiet import without_warnings
from moderate_cli.images.strips import middle
from moderate_cli.threads import in_threads

QUALITY = 68
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


def thumbnails(dataset: Dataset, paths: Sequence[str], side: int, room: int) -> list[Thumbnail]:
    """Draw square thumbnails.

    Parameters
    ----------
    dataset, paths
        Images of a dataset, local or remote.
    side
        Width and height in pixels.
    room
        Maximum length of all thumbnails together, in characters.

    Returns
    -------
    list of Thumbnail
        One for each image.
    """
    top, source = dataset.root, dataset.source
    drawn = in_threads(lambda path: thumbnail(f"{top}/{path}", side, source), paths)
    with without_warnings(), closing(drawn) as pictures:
        found = list(_within(pictures, room))
    return found + [Thumbnail("", NO_ROOM)] * (len(paths) - len(found))


def _within(pictures: Iterator[Thumbnail], room: int) -> Iterator[Thumbnail]:
    for picture in pictures:
        room -= len(picture.uri) + len(picture.reason)
        if room < 0:
            return
        yield picture


def thumbnail(name: str, side: int, source: Source = FILES) -> Thumbnail:
    """Draw the middle square of an image, or return the reason why not."""
    try:
        content, _ = source.read(name)
        return Thumbnail(tried_twice(lambda least_room: _drawn(content, side, least_room)))
    except TooManyPixels as error:
        return Thumbnail("", f"has {megapixels(error.pixels)}, too many for a thumbnail")
    except (UnreadableImage, NotAFile) as error:
        return Thumbnail("", str(error))
    except MemoryError:
        return Thumbnail("", "needs more memory than there is")
    except OSError as error:
        return Thumbnail("", error.strerror or str(error))


def _drawn(content: bytes, side: int, least_room: int) -> str:
    with opened(content, least_room=least_room) as image:
        image.draft("RGB", (side, side))
        square = ImageOps.fit(to_rgb(image, middle(image.size)), (side, side))
    encoded = io.BytesIO()
    square.save(encoded, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
