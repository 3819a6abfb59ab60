"""The files of tables that a dataset consists of: one file, a folder, a pattern, or a split."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.layouts import is_split_name
from moderate_cli.dataset.lists import TABLE, WILD, is_pattern
from moderate_cli.dataset.saved import is_saved, streams_of
from moderate_cli.errors import DatasetError
from moderate_cli.files.places import place
from moderate_cli.text import some, unknown

INNER = "data"  # the folder of the tables in a repository of the hub
# train-00000-of-00005.parquet, as the hub has them; and train.parquet, train-0.parquet.
OF = re.compile(r"(.+?)-\d+-of-\d+(-[0-9a-f]+)?")
NUMBER = re.compile(r"[-_.]?\d+$")


class Shards(NamedTuple):
    """Files of tables, in their order.

    Attributes
    ----------
    files
        Their absolute paths.
    root
        Folder that the names of images are relative to.
    home
        Path that names the dataset; features are stored beside it.
    saved
        Folder of a saved dataset of Hugging Face; "" for others.
    """

    files: tuple[str, ...]
    root: Path
    home: Path
    saved: str = ""


def shards_at(name: str) -> Shards | None:
    """Return the files of tables that a name stands for; None if it does for none.

    Raises
    ------
    DatasetError
        If they are of several splits, a pattern fits no file, or there is no such split.
    """
    if os.path.isdir(name):
        folder = os.fspath(place(name))
        if is_saved(name):
            saved, streams = streams_of(name)
            root = place(saved)
            files = [os.path.join(root, one) for one in streams]
            return Shards(tuple(files), root, Path(folder), saved)
        files = tables_in(folder)
        return Shards(tuple(only_split(files, name)), Path(folder), Path(folder)) if files else None
    if os.path.lexists(name):
        single = name.lower().endswith(TABLE)
        return (
            Shards((os.fspath(place(name)),), place(name).parent, place(name)) if single else None
        )
    if is_pattern(name):
        found = sorted(os.fspath(place(one)) for one in glob.glob(name))
        return matching(name, [one for one in found if one.lower().endswith(TABLE)], name)
    folder, split = os.path.split(name.rstrip("/"))
    files = tables_in(os.fspath(place(folder or ".")))
    splits = splits_of(files)
    if split not in splits and len(splits) < 2:
        return None
    return Shards(tuple(files_of(split, files, name)), place(folder or "."), place(name))


def tables_in(folder: str) -> list[str]:
    """Return the Parquet files in a folder, or else in its folder `data`; sorted."""
    for inner in (folder, os.path.join(folder, INNER)):
        try:
            names = sorted(os.listdir(inner))
        except OSError:
            continue
        found = [one for one in names if one.lower().endswith(TABLE) and not one.startswith(".")]
        if found:
            return [os.path.join(inner, one) for one in found]
    return []


def matching(pattern: str, files: Sequence[str], shown: str) -> Shards:
    """Return the files that fit a pattern, as a dataset with the name that they begin with.

    Raises
    ------
    DatasetError
        If there is none.
    """
    if not files:
        raise DatasetError(f"{shown}: no Parquet file has such a name; name a folder of them")
    root = Path(os.path.commonpath([os.path.dirname(one) for one in files]))
    home = Path(_fixed(pattern)) if "://" in shown else home_of(pattern)
    return Shards(tuple(files), root, home)


def home_of(pattern: str) -> Path:
    """Return the path that names the files of a pattern.

    >>> home_of("/hub/data/train-*.parquet")
    PosixPath('/hub/data/train')
    """
    return place(_fixed(pattern) or ".")


def _fixed(pattern: str) -> str:
    """Return the beginning of a pattern, without what separates it from numbers."""
    return WILD.split(pattern, maxsplit=1)[0].rstrip("-_./")


def fixed_part(name: str) -> str:
    """Return the folder that all names which fit a pattern are in; other names as they are.

    >>> fixed_part("hub/data/train-*.parquet"), fixed_part("hub/data")
    ('hub/data', 'hub/data')
    """
    return WILD.split(name, maxsplit=1)[0].rpartition("/")[0] if is_pattern(name) else name


def remote_shards(
    url: str, root: str, names: Collection[str], split: str | None = None
) -> Shards | None:
    """Return the files of tables among the objects below a URL; None if it is not one of tables.

    Parameters
    ----------
    url
        Names the dataset in errors.
    root
        The name that all objects begin with, or a pattern.
    names
        The objects.
    split
        The split that is asked for, if any.

    Raises
    ------
    DatasetError
        If they are of several splits or folders, or there is no such split.
    """
    files = sorted(name for name in names if name.lower().endswith(TABLE))
    if is_pattern(root):
        return matching(root, [name for name in files if fnmatch(name, root)], url)
    if not files or any(name.lower().endswith(IMAGE_EXTENSIONS) for name in names):
        return None
    folders = sorted({os.path.dirname(name) for name in files})
    if len(folders) > 1:
        inner = [os.path.relpath(folder, root) for folder in folders]
        raise DatasetError(
            f"{url}: has tables in several folders ({some(inner)}); pass one, e.g."
            f" {url.rstrip('/')}/{inner[0]}"
        )
    if root in names:
        return Shards((root,), Path(os.path.dirname(root)), Path(root))
    if split is not None:
        return Shards(tuple(files_of(split, files, url)), Path(root), Path(root, split))
    return Shards(tuple(only_split(files, url)), Path(root), Path(root))


def only_split(files: Sequence[str], shown: str) -> Sequence[str]:
    """Return files of one split.

    Raises
    ------
    DatasetError
        If there are more splits.
    """
    splits = splits_of(files)
    if len(splits) > 1:
        raise DatasetError(
            f"{shown}: contains splits ({some(list(splits))}), not classes; pass one of them, e.g."
            f" {shown.rstrip('/')}/{next(iter(splits))}"
        )
    return files


def files_of(split: str, files: Sequence[str], shown: str) -> list[str]:
    """Return the files of a split.

    Raises
    ------
    DatasetError
        If there is no such split.
    """
    splits = splits_of(files)
    if split not in splits:
        raise DatasetError(f"{shown}: split {unknown(split, splits)}")
    return splits[split]


def splits_of(files: Sequence[str]) -> dict[str, list[str]]:
    """Sort files by their split, as their names say it, the one to train on first.

    >>> splits_of(["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"])
    {'train': ['train-00000-of-00001.parquet'], 'test': ['test-00000-of-00001.parquet']}
    >>> splits_of(["0000.parquet", "0001.parquet"])
    {'': ['0000.parquet', '0001.parquet']}
    """
    found: dict[str, list[str]] = {}
    for file in files:
        found.setdefault(_split_of(file), []).append(file)
    if set(found) == {""}:
        return found
    for file in found.pop("", []):
        found[os.path.basename(file)] = [file]
    return dict(sorted(found.items(), key=lambda item: ("train" not in item[0], item[0])))


def _split_of(file: str) -> str:
    stem = os.path.splitext(os.path.basename(file))[0]
    hub = OF.fullmatch(stem)
    if hub is not None:
        return hub[1]
    plain = NUMBER.sub("", stem)
    return plain if is_split_name(plain) else ""
