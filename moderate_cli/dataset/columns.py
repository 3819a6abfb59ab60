"""Which columns of a list name an image and its class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from moderate_cli.dataset.image_formats import readable_extensions
from moderate_cli.errors import DatasetError
from moderate_cli.text import printable, some, unknown

# Usual names, the surest first; compared in lower case.
PATHS = (
    *("path", "file_path", "filepath", "image_path", "img_path", "file_name", "filename", "fname"),
    *("file", "image", "img", "image_file", "image_name", "img_name", "name"),
    *("image_id", "img_id", "id"),
)
LABELS = (
    *("label", "labels", "class", "target", "category", "class_name", "label_name"),
    *("category_name", "fine_label", "class_id", "label_id", "category_id", "class_index", "y"),
)
# Of a number or a fact about an image, never of its class; those of our own files are among them.
NO_LABELS = (
    *("score", "scores", "weight", "weights", "probability", "prob", "confidence", "distance"),
    *("similarity", "margin", "loss", "rank", "width", "height", "area", "aspect_ratio", "bytes"),
    *("hash", "md5", "sha1", "sha256", "phash", "url", "caption", "split", "fold", "kept"),
)


class Columns(NamedTuple):
    """Positions of the columns of image and class; None if there are no classes."""

    path: int
    label: int | None


def find_columns(
    names: Sequence[str], shown: str, path: str | None = None, label: str | None = None
) -> Columns:
    """Find the columns of image and class by their names.

    Parameters
    ----------
    names
        Names of all columns.
    shown
        Name of the list in errors.
    path, label
        Names that the user gave; None for the usual names. Of two columns, the one that is not the
        image is the class, unless its name is one of `NO_LABELS`.

    Raises
    ------
    DatasetError
        If a column is missing, or two have its name.

    Examples
    --------
    >>> find_columns(["image_id", "breed"], "train.csv")
    Columns(path=0, label=1)
    >>> find_columns(["id", "filename", "width", "target"], "train.csv")
    Columns(path=1, label=3)
    >>> find_columns(["path", "score"], "scores.csv")
    Columns(path=0, label=None)
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetError(f"{shown}: has two columns {printable(twice)!r}; rename one")
    first = _named(names, path, shown, "--path-column") if path else _usual(names, PATHS)
    if first is None:
        raise DatasetError(
            f"{shown}: has no column of paths ({told(names)}); name it with --path-column"
        )
    if label:
        found = _named(names, label, shown, "--label-column")
        if found == first:
            raise DatasetError(
                f"{shown}: {printable(label)!r} is the column of paths; name another"
            )
        return Columns(first, found)
    usual = _usual(names, LABELS, besides=first)
    others = [at for at in range(len(names)) if at != first]
    if usual is None and len(others) == 1 and _usual(names, NO_LABELS, besides=first) is None:
        return Columns(first, others[0])
    return Columns(first, usual)


def has_labels(names: Sequence[str]) -> bool:
    """Whether a column has one of the usual names of classes."""
    return _usual(names, LABELS) is not None


def looks_like_header(cells: Iterable[str]) -> bool:
    """Whether the first row has names of columns, not an image."""
    extensions = readable_extensions()
    return not any(cell.strip().lower().endswith(extensions) for cell in cells)


def _named(names: Sequence[str], name: str, shown: str, option: str) -> int:
    if name not in names:
        raise DatasetError(f"{shown}: {option} {unknown(name, names, told(names))}")
    return names.index(name)


def _usual(names: Sequence[str], known: Sequence[str], besides: int | None = None) -> int | None:
    plain = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in names]
    if besides is not None:
        plain[besides] = ""
    return next((plain.index(name) for name in known if name in plain), None)


def told(names: Sequence[str]) -> str:
    """Name all columns in an error."""
    return f"its columns: {some([printable(name) for name in names])}"
