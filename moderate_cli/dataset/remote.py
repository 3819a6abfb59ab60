"""Images on a file system of fsspec, such as S3 or Google Cloud Storage."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.entries import Entries, sorted_out
from moderate_cli.dataset.filesystems import HUB, PROTOCOLS, file_system, stat_of
from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS, readable_extensions
from moderate_cli.dataset.listing import listing
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.names import is_left_behind
from moderate_cli.dataset.notices import Notice, Survey
from moderate_cli.dataset.shards import fixed_part, remote_shards
from moderate_cli.dataset.sources import NO_STAT, Stat
from moderate_cli.dataset.table_scanning import scan_tables
from moderate_cli.errors import DatasetError
from moderate_cli.text import clipped, one_line

ON_HUB = f"{HUB}://datasets/"  # without it, names are those of models


@dataclass(frozen=True)
class Remote:
    """Objects of a remote file system.

    Attributes
    ----------
    protocol
        Such as "s3".
    stats
        Stat of each object when it was listed: its size, and a hash of the first of `MARKS` that
        it has.
    """

    protocol: str
    stats: Mapping[str, Stat]
    has_neighbors = False
    containers = ()
    suffix = ""

    def stat(self, name: str) -> Stat:
        """Return the stat of an object when it was listed; -1 if it did not exist."""
        return self.stats.get(name, NO_STAT)

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Return the bytes of an object, and its stat; a new stat if its size has changed."""
        try:
            content: bytes = file_system(self.protocol).cat_file(name)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # each file system raises its own errors
            raise OSError(one_line(error)) from None
        listed = self.stat(name)
        return content, listed if len(content) == listed[0] else (len(content), *NO_STAT[1:])

    def part(self, names: Iterable[str]) -> Remote:
        """Return a source of these objects only."""
        return Remote(self.protocol, {name: self.stat(name) for name in names})


def scan_remote(named: NamedDataset) -> Dataset:
    """List the images below a URL, in the order of ImageFolder, or those in tables there.

    Raises
    ------
    DatasetError
        If fsspec or its package for the protocol is not installed, or listing fails.
    """
    url = named.path
    protocol = url.partition("://")[0]
    if protocol == HUB and not url.startswith(ON_HUB):
        raise DatasetError(f"{url}: is not a dataset of the hub; name {ON_HUB}OWNER/NAME")
    root, found = _found(url, protocol)
    shards = remote_shards(url, root, found)
    if shards is None and not found and protocol == HUB and "/" in root:  # perhaps a split
        above, split = root.rsplit("/", 1)
        _, found = _found(f"{protocol}://{above}", protocol)
        shards = remote_shards(url, above, found, split)
    if shards is not None:
        return scan_tables(shards, named, protocol=protocol, stat=lambda name: stat_of(found[name]))
    if not found and protocol == HUB:
        raise DatasetError(f"{url}: does not exist; name {ON_HUB}OWNER/NAME, or a split of it")
    if root in found:
        raise DatasetError(
            f"{url}: is a single object; pass the folder that contains the class folders"
        )
    if not found:
        raise DatasetError(
            f"{url}: contains no images; pass the folder that contains the class folders"
        )
    survey = Survey(readable_extensions())
    objects = _Objects((name.removeprefix(f"{root}/") for name in found), survey)
    dataset = listing(url, root, objects.entries(""), objects, survey)
    names = [f"{root}/{path}" for path in dataset.paths]
    return replace(dataset, source=Remote(protocol, {name: stat_of(found[name]) for name in names}))


def _found(url: str, protocol: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the root of a URL, and the objects below it.

    Raises
    ------
    DatasetError
        If they cannot be listed.
    """
    with _no_second_error():
        root, found, fault = _listed(url, protocol)
    if fault:
        own = "; check the network, or download it and pass its folder"
        raise DatasetError(f"{url}: {fault}{own if protocol == HUB else ''}")
    if os.fspath(Path(root)) != root or any(info.get("size") is None for info in found.values()):
        raise DatasetError(f"{url}: the server reports no sizes or full paths, which are needed")
    return root, found


class _Objects:
    """Lists folders, which exist only as slashes in the names of objects."""

    def __init__(self, paths: Iterable[str], survey: Survey) -> None:
        self._survey = survey
        self._folders: dict[str, set[str]] = {"": set()}  # folders in each folder
        self._files: dict[str, list[str]] = {"": []}
        left_behind: dict[str, bool] = {}  # -> whether ImageFolder would find images there
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
            if "/" in folder:  # `listing` counts those beside the class folders
                survey.take_folder(folder.rpartition("/")[2], "rows" if listed else "")

    def entries(self, folder: str) -> Entries:
        """Return the contents of a folder."""
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
    """Return the root, the objects below it, and an error, if there was one."""
    try:
        try:
            files = file_system(protocol)
        except TypeError:  # for a missing argument, such as a host
            return "", {}, "needs more than a URL; mount it, or use s3:// or gs://"
        root: str = files._strip_protocol(url).rstrip("/")
        try:
            return root, files.find(fixed_part(root), detail=True), ""
        except FileNotFoundError:
            if protocol != HUB:
                raise
            return root, {}, ""  # perhaps the name of a split
    except ImportError as error:
        ours = protocol in PROTOCOLS or error.name == "fsspec"
        advice = "; pip install 'moderate-cli[remote]'" if ours else ""
        return "", {}, f"needs a package that is not installed ({one_line(error)}){advice}"
    except Exception as error:  # each file system raises its own errors
        return "", {}, f"cannot be listed ({clipped(one_line(error), 300)})"


@contextlib.contextmanager
def _no_second_error() -> Iterator[None]:
    """Suppress the second error of a file system that failed to open, when it is deleted."""
    hook = sys.unraisablehook

    def pass_on(swallowed: sys.UnraisableHookArgs) -> None:
        if not isinstance(swallowed.exc_value, Exception):  # a signal
            hook(swallowed)

    sys.unraisablehook = pass_on
    try:
        yield
    finally:
        sys.unraisablehook = hook
