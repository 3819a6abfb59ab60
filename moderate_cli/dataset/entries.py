"""What is in one folder of a dataset: folders, images, and other files."""

from __future__ import annotations

import errno
import os
from typing import Literal, NamedTuple

from moderate_cli.dataset.formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.names import is_left_behind
from moderate_cli.errors import DatasetError

# How a system says that there is no folder, or none any more; a loop of links leads to none.
NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Entries(NamedTuple):
    """What is in a folder.

    Attributes
    ----------
    folders, links
        Folders, and links to some.
    images, others
        Files that are read, and those that are not.
    more
        Images that ImageFolder would not list.
    alike
        Whether two names may be one on another disk.
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
    """Tell images from other files; of millions, so as little as can be is done for each."""
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
    # What is in lower case already is alike to nothing.
    alike = not joined.isascii() or (
        lowered != joined and len(set(lowered.split("/"))) <= lowered.count("/")
    )
    return Entries(folders, links, images, others, more, alike)


def unlisted(folder: str, error: OSError) -> DatasetError:
    """Error of a folder that os.walk, and so ImageFolder, would take to be empty."""
    return DatasetError(
        f"{folder}: cannot be listed ({error.strerror}); make it readable, or move it out of the"
        " dataset"
    )


def _may_be_passed(
    entry: os.DirEntry[str], error: OSError, extensions: tuple[str, ...]
) -> Literal[False]:
    """Take an entry for no folder, unless it may be one that matters."""
    # Whatever an image leads to, it is told of when it cannot be read.
    is_image = entry.name.lower().endswith(extensions)
    if error.errno in NO_FOLDER or is_image or is_left_behind(entry.name):
        return False
    raise unlisted(entry.path, error) from None
