"""Classes in the names of files, found by a regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.notices import Notice
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sentences import LAYOUTS
from moderate_cli.errors import DatasetError, OptionError
from moderate_cli.text import clipped, printable


def class_finder(pattern: str) -> Callable[[str], str]:
    r"""Return a function from the path of an image to the class in its name; "" for none.

    The class is the first group that takes part in the match, or all of the match.

    Raises
    ------
    ArgumentError
        If it is not a regular expression.

    Examples
    --------
    >>> class_finder("cat|dog")("train/cat.12.jpg"), class_finder(r"^(.+)_\d+")("Maine_Coon_7.jpg")
    ('cat', 'Maine_Coon')
    """
    if not pattern:
        raise OptionError(
            "{} is empty; it finds the class in each file name, such as 'cat|dog'", "label_pattern"
        )
    try:
        search = re.compile(pattern).search
    except (re.error, RecursionError, OverflowError) as error:
        reason = str(error).replace("{", "{{").replace("}", "}}")
        raise OptionError(
            f"{{}} is not a regular expression ({reason})", ("label_pattern", clipped(pattern))
        ) from None

    def find(path: str) -> str:
        match = search(path.rpartition("/")[2])
        if match is None:
            return ""
        return next((group for group in match.groups() if group is not None), match[0])

    return find


def relabeled(dataset: Dataset, pattern: str, shown: str) -> Dataset:
    """Return the images of a folder with the classes in their names, in the order of a list.

    Raises
    ------
    DatasetError
        If no name fits.
    ArgumentError
        If the pattern is not a regular expression.
    """
    find = class_finder(pattern)
    found = [
        (find(path), *path.rpartition("/")[::2], row) for row, path in enumerate(dataset.paths)
    ]
    rest = [path for (name, *_), path in zip(found, dataset.paths, strict=True) if not name]
    rows = np.array([row for name, *_, row in sorted(found) if name], dtype=np.int64)
    if not len(rows):
        raise DatasetError(
            f"{shown}: no file name, such as {printable(rest[0])}, fits --label-pattern"
            f" {printable(clipped(pattern))}; the pattern finds the class in each name"
        )
    classes = sorted({name for name, *_ in found} - {""})
    number = {name: at for at, name in enumerate(classes)}
    notices = [notice for notice in dataset.notices if notice.kind not in LAYOUTS]
    return replace(
        dataset,
        classes=tuple(classes),
        paths=Paths.of(dataset.paths[row] for row in rows.tolist()),
        labels=np.array([number[found[row][0]] for row in rows.tolist()], dtype=np.int64),
        notices=(*notices, *([Notice("no match", len(rest), (rest[0],))] if rest else [])),
        by_name=True,
    )
