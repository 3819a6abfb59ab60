"""Contents that can be made again, kept in the user's folder for caches.

A cache is never an error: a content that cannot be kept, or is damaged, is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from moderate_cli.errors import OutputError
from moderate_cli.files.atomic import new_file
from moderate_cli.files.regular import read_regular

FOLDER = "moderate"
KEPT = 4  # files of a kind: those that were used last
LARGEST = 1 << 28  # bytes of a file
DIGEST_SIZE = 32


def read_cached(kind: str, key: str) -> memoryview | None:
    """Return the content that was kept under a key; None if there is none, or it is damaged.

    Parameters
    ----------
    kind
        Name of a folder.
    key
        Name of the file, such as a digest of all that the content depends on.
    """
    path = _folder(kind) / key
    try:
        content = memoryview(read_regular(path))
    except OSError:
        return None
    digest, content = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    if digest != _digest(content):
        return None
    with contextlib.suppress(OSError):  # another user's
        os.utime(path)
    return content


def keep_cached(kind: str, key: str, content: bytes) -> None:
    """Keep a content, and remove those that were not used for longest; never raises for a disk."""
    if len(content) > LARGEST:
        return
    folder = _folder(kind)
    with contextlib.suppress(OSError, OutputError):
        # Private, as the XDG Base Directory Specification asks.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with new_file(folder / key) as file:
            file.write(_digest(content))
            file.write(content)
        for path in sorted(folder.iterdir(), key=_used, reverse=True)[KEPT:]:
            path.unlink(missing_ok=True)


def _folder(kind: str) -> Path:
    """Return a folder in the user's folder for caches (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # as the specification says
        base = os.path.expanduser("~/.cache")
    return Path(base, FOLDER, kind)


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()


def _used(path: Path) -> int:
    return path.lstat().st_mtime_ns
