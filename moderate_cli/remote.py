"""Images on a file system that fsspec knows, such as S3 or Google Cloud Storage."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moderate_cli.dataset import FLAT, IMAGE_EXTENSIONS, Dataset
from moderate_cli.errors import DatasetError
from moderate_cli.sources import NO_STAT, Stat
from moderate_cli.text import one_line

# What file systems call that which changes with an object's content, the best first.
MARKS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "updated", "created")


@dataclass(frozen=True)
class Remote:
    """Objects of a remote file system.

    Attributes
    ----------
    protocol
        Such as "s3".
    stats
        Of each object, when they were listed: size, and a number made of what the file system
        says that changes with the content.
    """

    protocol: str
    stats: Mapping[str, Stat]
    has_neighbors = False

    def stat(self, name: str) -> Stat:
        """Stat of an object when it was listed; -1 if it was not there."""
        return self.stats.get(name, NO_STAT)

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Bytes of an object, and its stat; another one if its size has changed meanwhile."""
        try:
            content: bytes = _file_system(self.protocol).cat_file(name)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # each file system has errors of its own
            raise OSError(one_line(error)) from None
        listed = self.stat(name)
        return content, listed if len(content) == listed[0] else (len(content), *NO_STAT[1:])

    def part(self, names: Iterable[str]) -> Remote:
        """Return what knows these objects alone."""
        return Remote(self.protocol, {name: self.stat(name) for name in names})


def scan_remote(url: str) -> Dataset:
    """List the images below an URL, in the order of ImageFolder; what is listed is not opened.

    Raises
    ------
    DatasetError
        If fsspec or what it needs for the protocol is not installed, or nothing can be listed.
    """
    protocol = url.partition("://")[0]
    try:
        files = _file_system(protocol)
        root = files._strip_protocol(url).rstrip("/")
        found: dict[str, dict[str, Any]] = files.find(root, detail=True)
    except ImportError as error:
        raise DatasetError(
            f"{url}: wants what is not installed ({one_line(error)}); pip install"
            " 'moderate-cli[remote]'"
        ) from None
    except Exception as error:  # each file system has errors of its own
        raise DatasetError(f"{url}: cannot be listed ({one_line(error)})") from None
    if root in found:
        raise DatasetError(
            f"{url}: is a single object; name the folder that the class folders are in"
        )
    if os.fspath(Path(root)) != root or any(info.get("size") is None for info in found.values()):
        raise DatasetError(f"{url}: is listed without the sizes or full names that are wanted")
    paths = sorted(
        (name.removeprefix(f"{root}/") for name in found),
        key=lambda path: (path.partition("/")[0], *os.path.split(path)),
    )
    classes = sorted({path.partition("/")[0] for path in paths if "/" in path})
    images = [path for path in paths if path.lower().endswith(IMAGE_EXTENSIONS)]
    if classes:
        label_of = {name: label for label, name in enumerate(classes)}
        images = [path for path in images if "/" in path]
        labels = [label_of[path.partition("/")[0]] for path in images]
    else:
        classes, labels = [FLAT], [0] * len(images)
    if not images:
        raise DatasetError(f"{url}: holds no images; name the folder that the class folders are in")
    stats = {f"{root}/{path}": _stat(found[f"{root}/{path}"]) for path in images}
    own = np.array(labels, dtype=np.int64)
    return Dataset(Path(root), tuple(classes), images, own, Remote(protocol, stats))


@functools.cache
def _file_system(protocol: str) -> Any:
    import fsspec

    # Of public buckets it would say, for each image, that there are no credentials.
    logging.getLogger("gcsfs").setLevel(logging.ERROR)
    return fsspec.filesystem(protocol, use_listings_cache=False)


def _stat(info: Mapping[str, Any]) -> Stat:
    mark = next((str(info[key]) for key in MARKS if info.get(key) is not None), "")
    digest = hashlib.blake2b(mark.encode(), digest_size=7).digest()
    return (int(info["size"]), int.from_bytes(digest, "big"), 0, 0)
