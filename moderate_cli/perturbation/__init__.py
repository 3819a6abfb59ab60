"""Perturbation: a copy of a dataset with wrong labels and ruined pictures, to try methods on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError, DatasetError
from moderate_cli.exporting import LINKS, check_apart, place
from moderate_cli.files import check_free, new_folder
from moderate_cli.fingerprints import NotAFile, read_file
from moderate_cli.perturbation.corruptions import CORRUPTIONS
from moderate_cli.processors import in_threads
from moderate_cli.records import Table, write_table
from moderate_cli.selection.counts import exact, round_half_up

RECORD = "perturbed.csv"
PART = 50  # images that one thread makes before it tells of progress


class Perturbed(NamedTuple):
    """What becomes of an image.

    Attributes
    ----------
    source, path
        Path in the dataset, and in the copy.
    label
        Index of the class that it is put in.
    corruption
        A key of `CORRUPTIONS`, or "".
    """

    source: str
    path: str
    label: int
    corruption: str


def perturb(
    dataset: Dataset,
    destination: str | os.PathLike[str],
    *,
    label_noise: float | str | Fraction = 0,
    pair_noise: float | str | Fraction = 0,
    corrupt: float | str | Fraction = 0,
    seed: int = 0,
    link: str = "symbolic",
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Perturbed]:
    """Make an ImageFolder of all images, some of them in a wrong class, some of them ruined.

    These are the scenarios of Moderate Coreset, Section 5. What was done to which image is written
    to `RECORD` in the new folder. The dataset is only read.

    Parameters
    ----------
    dataset
        From `moderate_cli.scan`.
    destination
        Must not exist, or be an empty folder.
    label_noise, pair_noise
        Fractions of the images that are put in any other class, each as likely ("symmetric"), and
        in the class that comes next ("pairs").
    corrupt
        Fraction that is ruined, as many by each of `CORRUPTIONS`, and written as PNG.
    seed
        For what is drawn at random.
    link
        What unruined images are, as in `moderate_cli.export`.
    on_progress
        Called with the number of images done and the number of all.

    Returns
    -------
    list of Perturbed
        One of each image, in row order.

    Raises
    ------
    ArgumentError, DatasetError, OutputError
        If an argument is out of range, an image cannot be ruined for it cannot be read, or the
        folder cannot be written. Nothing is left then.
    """
    planned = plan(dataset, exact(label_noise), exact(pair_noise), exact(corrupt), seed)
    if link not in LINKS:
        raise ArgumentError(f"link: {link!r} is none of {', '.join(LINKS)}")
    check_apart(dataset, Path(os.path.abspath(destination)), os.fspath(destination))
    check_free(destination, "name another folder")
    with new_folder(destination) as folder:
        folders = {os.path.dirname(image.path) for image in planned} | set(dataset.classes)
        for name in folders:
            (folder / name).mkdir(parents=True, exist_ok=True)

        def make(rows: range) -> int:
            for row in rows:
                _make(dataset, folder, planned[row], link, (seed, row))
            return len(rows)

        parts = [
            range(start, min(start + PART, len(planned))) for start in range(0, len(planned), PART)
        ]
        done = 0
        with closing(in_threads(make, parts)) as counts:
            for count in counts:
                done += count
                if on_progress is not None:
                    on_progress(done, len(planned))
        write_table(folder / RECORD, _record(dataset, planned))
    return planned


def plan(
    dataset: Dataset, label_noise: Fraction, pair_noise: Fraction, corrupt: Fraction, seed: int
) -> list[Perturbed]:
    """Say what will become of each image; the arguments are those of `perturb`."""
    n, classes = len(dataset), len(dataset.classes)
    for name, share in (
        ("label_noise", label_noise), ("pair_noise", pair_noise), ("corrupt", corrupt),
        ("label_noise and pair_noise together", label_noise + pair_noise),
    ):  # fmt: skip
        if not 0 <= share <= 1:
            raise ArgumentError(f"{name}: {float(share)} is not in [0, 1]")
    if label_noise + pair_noise > 0 and classes < 2:
        raise ArgumentError("label_noise: there is one class only, so no label can be wrong")
    rng = np.random.default_rng(seed)
    labels = np.array([label for _, label in dataset.samples], dtype=np.int64)
    wrong, order = labels.copy(), rng.permutation(n)
    any_other, pairs = round_half_up(n * label_noise), round_half_up(n * pair_noise)
    some = order[:any_other]
    wrong[some] = (labels[some] + rng.integers(1, classes, len(some))) % classes
    some = order[any_other : any_other + pairs]
    wrong[some] = (labels[some] + 1) % classes
    ruined = [""] * n
    for number, row in enumerate(rng.permutation(n)[: round_half_up(n * corrupt)].tolist()):
        ruined[row] = list(CORRUPTIONS)[number % len(CORRUPTIONS)]
    names = _names(dataset, wrong.tolist(), ruined)
    return [
        Perturbed(path, name, label, corruption)
        for (path, _), name, label, corruption in zip(
            dataset.samples, names, wrong.tolist(), ruined, strict=True
        )
    ]


def _names(dataset: Dataset, labels: Sequence[int], ruined: Sequence[str]) -> list[str]:
    """Return the new path of each image; what does not change keeps its own."""
    names = [path for path, _ in dataset.samples]
    changed = [
        row for row, (_, label) in enumerate(dataset.samples) if label != labels[row] or ruined[row]
    ]
    taken = set(names) - {names[row] for row in changed}
    for row in changed:
        own = dataset.classes[dataset.samples[row][1]]
        stem, suffix = os.path.splitext(os.path.relpath(names[row], own))
        suffix = ".png" if ruined[row] else suffix
        folder, number = dataset.classes[labels[row]], 0
        name = os.path.normpath(f"{folder}/{stem}{suffix}")
        while name in taken:
            number += 1
            name = os.path.normpath(f"{folder}/{stem}-{number}{suffix}")
        taken.add(name)
        names[row] = name
    return names


def _make(
    dataset: Dataset, folder: Path, image: Perturbed, link: str, seed: tuple[int, int]
) -> None:
    source = dataset.root / image.source
    target = folder / image.path
    if not image.corruption:
        place(source.parent, target.parent, [(source.name, target.name)], link)
        return
    # torch takes seconds to load; where no picture is ruined it is not needed.
    from moderate_cli.images import UnreadableImage, decode

    try:
        pixels = decode(read_file(os.fspath(source))[0]).permute(1, 2, 0).numpy()
    except OSError as error:
        raise DatasetError(f"{source}: {error.strerror}; remove it first") from None
    except (UnreadableImage, NotAFile) as error:
        raise DatasetError(f"{source}: {error}; remove it first") from None
    changed = CORRUPTIONS[image.corruption](pixels, np.random.default_rng(seed))
    Image.fromarray(changed).save(target, "png")


def _record(dataset: Dataset, planned: Sequence[Perturbed]) -> Table:
    rows = [
        (
            image.path,
            dataset.classes[image.label],
            image.source,
            dataset.classes[label],
            image.corruption,
        )
        for image, (_, label) in zip(planned, dataset.samples, strict=True)
        if image.label != label or image.corruption
    ]
    return Table(("path", "class", "original_path", "original_class", "corruption"), rows)
