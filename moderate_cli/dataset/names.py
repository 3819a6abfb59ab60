"""What the name of a file or folder tells: hidden, left behind by a system, alike to another."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

# Folders that systems leave behind without a dot: macOS's archives, Synology, QNAP, NetApp, Windows
# and its shares on a Mac, disks of Linux, Python.
SYSTEM_FOLDERS = frozenset(
    (
        *("__macosx", "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        *("~snapshot", "$recycle.bin", "recycler", "system volume information"),
        *("network trash folder", "temporary items", "lost+found", "__pycache__"),
    )
)
# Files that Windows and macOS hide without a dot.
SYSTEM_FILES = frozenset(
    ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r")
)
ZONE = ":zone.identifier"  # where a download came from, as Windows notes it
OWN = ".moderate-"  # of files that this program leaves in a folder that it made
# Texts and tables, of which nobody thinks that they are images.
TEXTS = frozenset(
    (
        *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml"),
        *(".toml", ".ini", ".cfg", ".log", ".html", ".htm", ".py", ".ipynb", ".sh", ".cls"),
        *(".parquet", ".arrow", ".sha256", ".md5", ".bib", ".cff", ".license"),
    )
)
SUFFIX = re.compile(r"\.[^\W\d][\w!@~-]{0,15}")  # one that is no more than the end of a number


def is_left_behind(folder: str) -> bool:
    """Whether a folder is hidden, or a system's own, and so no class and no part of one."""
    return folder.startswith(".") or folder.lower() in SYSTEM_FOLDERS


def is_hidden(file: str) -> bool:
    """Whether a file is hidden, or a system's own."""
    lower = file.lower()
    return file.startswith(".") or lower in SYSTEM_FILES or lower.endswith(ZONE)


def is_own(file: str) -> bool:
    """Whether a file was left by this program."""
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

    They differ by no more than case, or the Unicode normal form of their letters.

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
