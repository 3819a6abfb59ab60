"""`verify`: whether a dataset has the images of a published selection."""

from __future__ import annotations

import os
from dataclasses import dataclass

from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.dataset.sources import NotAFile
from moderate_cli.exporting import Table
from moderate_cli.exporting.recipes import KeptImage, read_published
from moderate_cli.inputs.datasets import listed
from moderate_cli.inputs.request import Data
from moderate_cli.listening import SILENT, Listener, with_bars
from moderate_cli.text import counted
from moderate_cli.threads import in_threads


@dataclass(frozen=True, repr=False)
class Verification:
    """How the images of a published selection differ from those of a dataset.

    Attributes
    ----------
    images
        Number of images of the selection.
    of, own
        Number of images of the dataset that it was made from, and of this dataset.
    undigested
        Number of those whose bytes the list does not describe; they are found by path alone.
    differences
        Kind ("missing", "changed", "unreadable" or "other class"), path, class in the list, and
        class in the dataset ("" if the image is missing) of each image that differs.

    Examples
    --------
    >>> from moderate_cli import select, write_index
    >>> made = select("data/train", ratio=0.5, backbone="pixels")
    >>> write_index("kept.json", made.scores, made.mask, recipe=made.recipe)
    >>> verify("kept.json", "data/train").differences
    ()
    """

    images: int
    of: int
    own: int
    undigested: int
    differences: tuple[tuple[str, str, str, str], ...]

    def __repr__(self) -> str:
        """Return the numbers of images and differences."""
        differences = counted(len(self.differences), "difference")
        return f"Verification({counted(self.images, 'image')}, {differences})"

    def table(self) -> Table:
        """Return the differences."""
        return Table(("difference", "path", "class", "own_class"), self.differences)


def verify(
    kept: str | os.PathLike[str],
    data: Data,
    *,
    progress: bool = False,
    listener: Listener = SILENT,
) -> Verification:
    """Check that a dataset has the images of a published selection: same bytes, same classes.

    Parameters
    ----------
    kept
        A `kept.json`, as `write_index` writes it.
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress.

    Raises
    ------
    ModerateError
        If the list or the dataset cannot be read.

    Examples
    --------
    >>> from moderate_cli import select, write_index
    >>> made = select("data/train", ratio=0.5, backbone="pixels")
    >>> write_index("kept.json", made.scores, made.mask, recipe=made.recipe)
    >>> verify("kept.json", "data/train").images
    4
    """
    listener = with_bars(listener, progress)
    published, dataset = read_published(kept), listed(data)
    images, clustered = published.images, "labels" in published.options
    top, row_of = os.fspath(dataset.root), {path: row for row, path in enumerate(dataset.paths)}

    def check(one: KeptImage) -> str:
        """Return the kind of the difference, or ""."""
        if one.path not in row_of:
            return "missing"
        try:
            content, _ = dataset.source.read(f"{top}/{one.path}") if one.digest else (b"", None)
        except (OSError, NotAFile):
            return "unreadable"
        if one.digest and content_digest(content).hex() != one.digest:
            return "changed"
        own = dataset.classes[dataset.labels[row_of[one.path]]]
        return "" if clustered or own == one.class_name else "other class"

    differences = []
    with listener.progress("verify") as move:
        for done, (one, kind) in enumerate(zip(images, in_threads(check, images), strict=True), 1):
            if kind:
                row = row_of.get(one.path)
                own = "" if row is None else dataset.classes[dataset.labels[row]]
                differences.append((kind, one.path, one.class_name, own))
            move(done, len(images))
    undigested = sum(not one.digest for one in images)
    return Verification(len(images), published.of, len(dataset), undigested, tuple(differences))
