"""Index files: the kept images as paths, as records or as row numbers."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from moderate_cli.arrays import Mask, Rows, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.lists import Listed, is_list
from moderate_cli.dataset.paths import encode_paths
from moderate_cli.dataset.scanning import metadata_in
from moderate_cli.errors import ArgumentError
from moderate_cli.exporting.recipes import Recipe
from moderate_cli.exporting.suffixes import check_output
from moderate_cli.exporting.tables import write_rows_csv
from moderate_cli.files.atomic import new_file
from moderate_cli.scoring import ROWS_AT_ONCE, Scores


class Kept(NamedTuple):
    """Scores of all images, int64 (k,) kept rows, and where the images and they come from."""

    scores: Scores
    rows: Rows
    dataset: Dataset | None = None
    recipe: Recipe | None = None

    @property
    def listed(self) -> Listed | None:
        """The list of the dataset, if it has one."""
        return None if self.dataset is None else self.dataset.listed

    @property
    def numbers(self) -> Rows:
        """The kept rows, numbered as in the list of the dataset, if it has one."""
        return self.rows if self.listed is None else self.listed.rows[self.rows]


Writer = Callable[[BinaryIO, Kept], None]


def write_index(
    destination: str | os.PathLike[str],
    scores: Scores,
    kept: Mask,
    *,
    nul: bool = False,
    dataset: Dataset | None = None,
    recipe: Recipe | None = None,
) -> None:
    """Write the kept images to a file, completely or not at all; its suffix is the format.

    Parameters
    ----------
    destination
        `.txt`: one path per line. `.csv`: path, class, score. `.json`: the same with row numbers,
        counts, and the class that the dataset gives where it was corrected. `.npy`: int64 row
        numbers in ascending order.
    scores
        Names and scores of all images.
    kept
        bool (n,), such as a `Selection`.
    nul
        End the lines of a `.txt` with NUL bytes instead of newlines.
    dataset
        The images. If they are those of a list, a file with the list's suffix gets the rows of
        the list as they are, and row numbers are those of the list.
    recipe
        How the images were selected, for a `.json`; it has the digest of each image then.

    Raises
    ------
    ArgumentError
        If the suffix is unknown, or `kept` is not a mask.
    DatasetError
        If the list has changed since it was read.

    Examples
    --------
    >>> from moderate_cli import select
    >>> selection = select("data/train", ratio=0.5, backbone="pixels")
    >>> write_index("kept.txt", selection.scores, selection)
    """
    listed, mask = None if dataset is None else dataset.listed, np.asarray(kept)
    writer = check_output(destination, index_formats(None if listed is None else listed.path))
    if mask.dtype != bool or mask.shape != (len(scores),):
        raise ArgumentError(f"kept: is not a mask, a bool array of shape ({len(scores)},)")
    rows = np.flatnonzero(mask)
    with new_file(destination) as file:
        if nul and Path(destination).suffix.lower() == ".txt":
            file.write(index_bytes(scores, rows, nul=True))
        else:
            writer(file, Kept(scores, rows, dataset, recipe))


def index_formats(data: str | os.PathLike[str] | None) -> Mapping[str, Writer]:
    """Return the formats of index files by suffix: those of all, and that of a list."""
    own = data if data is not None and is_list(data) else None
    if data is not None and own is None and os.path.isdir(data):
        own = metadata_in(os.fspath(data))
    return (
        INDEX_FORMATS
        if own is None
        else {**INDEX_FORMATS, Path(own).suffix.lower(): _write_of_list}
    )


def index_bytes(scores: Scores, rows: Rows, *, nul: bool) -> bytes:
    """Return the paths of rows, one per line; row numbers where there are no paths."""
    if scores.paths:
        return encode_paths(scores.names(rows), nul=nul)
    line = "%d\0" if nul else "%d\n"  # of many rows at once, in half the time of one by one
    parts = (tuple(rows[block].tolist()) for block in blocks(len(rows), ROWS_AT_ONCE))
    return "".join(line * len(part) % part for part in parts).encode()


def _write_index_txt(file: BinaryIO, kept: Kept) -> None:
    file.write(index_bytes(kept.scores, kept.rows, nul=False))


def _write_index_csv(file: BinaryIO, kept: Kept) -> None:
    write_csv(file, kept.scores, kept.rows)


def _write_index_json(file: BinaryIO, kept: Kept) -> None:
    # The text of json.dumps(..., indent=1), image by image: millions would not fit in memory.
    rows, numbers, recipe = kept.rows, kept.numbers, kept.recipe
    head: dict[str, Any] = {"kept": len(rows), "of": len(kept.scores)}
    head |= {} if recipe is None else {"recipe": recipe.facts}
    file.write(json.dumps({**head, "images": []}, indent=1).removesuffix("]\n}").encode("ascii"))
    given = {} if kept.dataset is None else kept.dataset.given_classes()
    for at, (path, name, value) in enumerate(_records(kept.scores, rows)):
        image = {"row": int(numbers[at]), "path": path, "class": name, "score": value}
        if rows[at] in given:
            image["given"] = given[rows[at]]
        if recipe is not None:
            image["blake2b"] = recipe.digests[rows[at]].tobytes().hex()
        text = textwrap.indent(json.dumps(image, indent=1), "  ")
        file.write((",\n" if at else "\n").encode() + text.encode("ascii"))
    file.write(b"\n ]\n}\n" if len(rows) else b"]\n}\n")


def _write_index_npy(file: BinaryIO, kept: Kept) -> None:
    np.save(file, np.sort(kept.numbers).astype(np.int64), allow_pickle=False)


def _write_of_list(file: BinaryIO, kept: Kept) -> None:
    assert kept.dataset is not None
    assert kept.listed is not None
    kept.listed.copy(kept.rows, file, kept.dataset.corrected_classes())


def write_csv(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    """Write path, class and score of each row."""
    records = ([path, name, f"{value:.9g}"] for path, name, value in _records(scores, rows))
    write_rows_csv(file, ("path", "class", "score"), records)


def _records(scores: Scores, rows: Rows) -> Iterator[tuple[str, str, float]]:
    for block in blocks(len(rows), ROWS_AT_ONCE):
        part = rows[block]
        labels, values = scores.labels[part].tolist(), scores.values[part].tolist()
        for name, label, value in zip(scores.names(part), labels, values, strict=True):
            yield name, scores.class_name(label), value


INDEX_FORMATS: dict[str, Writer] = {
    ".txt": _write_index_txt,
    ".csv": _write_index_csv,
    ".json": _write_index_json,
    ".npy": _write_index_npy,
}
