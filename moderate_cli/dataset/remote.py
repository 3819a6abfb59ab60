"""Images on a file system that fsspec knows, such as S3 or Google Cloud Storage."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.entries import Entries, sorted_out
from moderate_cli.dataset.formats import IMAGE_EXTENSIONS, readable_extensions
from moderate_cli.dataset.listing import listing
from moderate_cli.dataset.names import is_left_behind
from moderate_cli.dataset.notices import Notice, Survey
from moderate_cli.dataset.sources import NO_STAT, Stat
from moderate_cli.errors import DatasetError
from moderate_cli.text import clipped, one_line

# What file systems call that which changes with an object's content, the best first.
MARKS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "updated", "created")
PROTOCOLS = ("s3", "s3a", "gs", "gcs")  # of the extra


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
    with _no_second_error():
        root, found, fault = _listed(url, protocol)
    if fault:
        raise DatasetError(f"{url}: {fault}")
    if root in found:
        raise DatasetError(
            f"{url}: is a single object; name the folder that the class folders are in"
        )
    if os.fspath(Path(root)) != root or any(info.get("size") is None for info in found.values()):
        raise DatasetError(f"{url}: is listed without the sizes or full names that are wanted")
    if not found:
        raise DatasetError(f"{url}: holds no images; name the folder that the class folders are in")
    survey = Survey(readable_extensions())
    objects = _Objects((name.removeprefix(f"{root}/") for name in found), survey)
    dataset = listing(url, root, objects.entries(""), objects, survey)
    names = [f"{root}/{path}" for path in dataset.paths]
    return replace(dataset, source=Remote(protocol, {name: _stat(found[name]) for name in names}))


class _Objects:
    """Lists folders that are no more than slashes in the names of objects."""

    def __init__(self, paths: Iterable[str], survey: Survey) -> None:
        self._survey = survey
        self._folders: dict[str, set[str]] = {"": set()}  # folders in each folder
        self._files: dict[str, list[str]] = {"": []}
        left_behind: dict[str, bool] = {}  # by whether ImageFolder would find images there
        for path in paths:
            *parents, name = path.split("/")
            folder = ""
            for parent in parents:
                self._folders[folder].add(parent)
                folder = f"{folder}/{parent}" if folder else parent
                if is_left_behind(parent):
                    listed = left_behind.get(folder, False)
                    left_behind[folder] = listed or name.lower().endswith(IMAGE_EXTENSIONS)
                    break
                self._folders.setdefault(folder, set())
                self._files.setdefault(folder, [])
            else:
                self._files[folder].append(name)
        for folder, listed in left_behind.items():
            if "/" in folder:  # those beside the classes are counted with the classes
                survey.take_folder(folder.rpartition("/")[2], "rows" if listed else "")

    def entries(self, folder: str) -> Entries:
        """Return what is in a folder."""
        inner = sorted(self._folders[folder])
        return sorted_out(inner, [], self._files[folder], self._survey.extensions)

    def class_folders(self, name: str) -> list[tuple[str, list[str]]]:
        """Return each folder of a class with its sorted images, in ImageFolder's order."""
        found = []
        folders = [name]
        while folders:
            folder = folders.pop()
            here = self.entries(folder)
            folders += [f"{folder}/{inner}" for inner in here.folders if not is_left_behind(inner)]
            self._survey.take(folder, here.more, here.others)
            if here.alike:
                self._survey.compare(folder, [*here.folders, *here.images])
            found.append((folder, sorted(here.images)))
        return sorted(found)

    def notices(self) -> Iterator[Notice]:
        """Yield nothing: there are no links."""
        return iter(())


def _listed(url: str, protocol: str) -> tuple[str, dict[str, dict[str, Any]], str]:
    """Return the root, what is below it, and what went wrong, if something did."""
    try:
        try:
            files = _file_system(protocol)
        except TypeError:  # a host, for one, that it wants as an argument
            return "", {}, "needs more than an URL; mount it, or use s3:// or gs://"
        root: str = files._strip_protocol(url).rstrip("/")
        return root, files.find(root, detail=True), ""
    except ImportError as error:
        ours = protocol in PROTOCOLS or error.name == "fsspec"
        advice = "; pip install 'moderate-cli[remote]'" if ours else ""
        return "", {}, f"wants what is not installed ({one_line(error)}){advice}"
    except Exception as error:  # each file system has errors of its own
        return "", {}, f"cannot be listed ({clipped(one_line(error), 300)})"


@contextlib.contextmanager
def _no_second_error() -> Iterator[None]:
    """Be silent where a file system that could not be made fails again when it is let go of."""
    hook = sys.unraisablehook

    def pass_on(swallowed: sys.UnraisableHookArgs) -> None:
        if not isinstance(swallowed.exc_value, Exception):  # a signal
            hook(swallowed)

    sys.unraisablehook = pass_on
    try:
        yield
    finally:
        sys.unraisablehook = hook


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
