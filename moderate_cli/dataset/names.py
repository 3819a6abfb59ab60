"""Names of files and folders: hidden, left behind by a system, alike to another."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterable

# Folders that systems leave behind, with names that do not begin with a dot: archives of macOS,
# Synology, QNAP, NetApp, Windows and its shares on a Mac, disks of Linux, Python.
SYSTEM_FOLDERS = frozenset(
    (
        *("__macosx", "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        *("~snapshot", "$recycle.bin", "recycler", "system volume information"),
        *("network trash folder", "temporary items", "lost+found", "__pycache__"),
    )
)
# Files that Windows and macOS hide, with names that do not begin with a dot.
SYSTEM_FILES = frozenset(
    ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r")
)
ZONE = ":zone.identifier"  # suffix of a file in which Windows notes the source of a download
STORE = ".moderate"  # suffix of folders of features
STORE_LOCK = "moderate.lock"  # a file in each of them; unlikely as a name of a user's file
TAR = ".tar"  # suffix of tar files, also in upper case
OWN = ".moderate-"  # prefix of files that this program leaves in its output folders
# Texts and tables, which are ignored without a notice.
TEXTS = frozenset(
    (
        *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml"),
        *(".toml", ".ini", ".cfg", ".log", ".html", ".htm", ".py", ".ipynb", ".sh", ".cls"),
        *(".parquet", ".arrow", ".sha256", ".md5", ".bib", ".cff", ".license"),
    )
)
SUFFIX = re.compile(r"\.[^\W\d][\w!@~-]{0,15}")  # but not the end of a number


def is_left_behind(folder: str) -> bool:
    """Whether a folder is hidden, of a system, or a feature store, and so not a class."""
    return folder.startswith(".") or folder.lower() in SYSTEM_FOLDERS or folder.endswith(STORE)


def is_store_of(folder: str, files: Collection[str]) -> bool:
    """Whether a folder is the feature store of one of the files beside it, such as a list."""
    return folder.endswith(STORE) and folder.removesuffix(STORE) in files


def is_hidden(file: str) -> bool:
    """Whether a file is hidden, or of a system."""
    lower = file.lower()
    return file.startswith(".") or lower in SYSTEM_FILES or lower.endswith(ZONE)


def is_own(file: str) -> bool:
    """Whether this program wrote a file."""
    return file.startswith(OWN)


def suffix_of(file: str) -> str:
    """Return the suffix of a name in lower case, or "".

    >>> suffix_of("IMG.HEIC"), suffix_of("a.jpg_large"), suffix_of("Picture 2021-05-06 10.20.30")
    ('.heic', '.jpg_large', '')
    """
    suffix = os.path.splitext(file)[1].lower()
    return suffix if SUFFIX.fullmatch(suffix) else ""


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    r"""Return pairs of names that a disk of macOS or Windows would merge.

    They differ only by case, or by the Unicode normal form of their letters.

    >>> alike(["cat", "Dog", "cow", "Cat"]), len(alike(["caf\u00e9", "cafe\u0301"]))
    ([('cat', 'Cat')], 1)
    """
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        known = first.setdefault(_folded(name), name)
        if known is not name:
            pairs.append((known, name))
    return pairs


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
