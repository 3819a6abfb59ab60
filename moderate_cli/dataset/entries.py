"""Contents of one folder of a dataset: folders, images, and other files."""

from __future__ import annotations

import errno
import os
from typing import Literal, NamedTuple

from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.names import is_left_behind
from moderate_cli.errors import DatasetError

# Errors of a folder that does not exist, or does not any more; a loop of links leads to no folder.
NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Entries(NamedTuple):
    """Names in a folder.

    Attributes
    ----------
    folders, links
        Folders, and links to folders.
    images, others
        Files that are read, and files that are not.
    more
        Those of `images` that ImageFolder would not list.
    alike
        Whether a disk that ignores case might merge two names.
    """

    folders: list[str]
    links: list[str]
    images: list[str]
    others: list[str]
    more: list[str]
    alike: bool


NOTHING = Entries([], [], [], [], [], alike=False)


def entries_of(folder: str, extensions: tuple[str, ...]) -> Entries:
    """List a folder.

    Raises
    ------
    OSError
        If it cannot be listed.
    DatasetError
        If a link in it may lead to a folder, but cannot be followed.
    """
    folders: list[str] = []
    links: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_dir = entry.is_dir()
            except OSError as error:
                is_dir = _may_be_passed(entry, error, extensions)
            if not is_dir:
                files.append(entry.name)
            else:
                (links if entry.is_symlink() else folders).append(entry.name)
    return sorted_out(folders, links, files, extensions)


def sorted_out(
    folders: list[str], links: list[str], files: list[str], extensions: tuple[str, ...]
) -> Entries:
    """Separate images from other files; there may be millions, so it does little for each."""
    images = [name for name in files if name.lower().endswith(IMAGE_EXTENSIONS)]
    others, more = list[str](), list[str]()
    if len(images) < len(files):
        for name in files:
            if not name.lower().endswith(IMAGE_EXTENSIONS):
                (more if name.lower().endswith(extensions) else others).append(name)
        images += more
    joined = "/".join(["", *images, *folders, *links])
    if "/." in joined:
        others += [name for name in images if name.startswith(".")]
        images, more = (
            [name for name in some if not name.startswith(".")] for some in (images, more)
        )
    lowered = joined.lower()
    # Names in lower case cannot differ by case alone.
    alike = not joined.isascii() or (
        lowered != joined and len(set(lowered.split("/"))) <= lowered.count("/")
    )
    return Entries(folders, links, images, others, more, alike)


def unlisted(folder: str, error: OSError) -> DatasetError:
    """Return the error for a folder that os.walk, and so ImageFolder, would treat as empty."""
    return DatasetError(
        f"{folder}: cannot be listed ({error.strerror}); make it readable, or move it out of the"
        " dataset"
    )


def _may_be_passed(
    entry: os.DirEntry[str], error: OSError, extensions: tuple[str, ...]
) -> Literal[False]:
    """Treat an entry as a file, unless it may be a folder that matters."""
    # An image that cannot be read is reported later.
    is_image = entry.name.lower().endswith(extensions)
    if error.errno in NO_FOLDER or is_image or is_left_behind(entry.name):
        return False
    raise unlisted(entry.path, error) from None
