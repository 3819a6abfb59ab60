"""Perturbation: a copy of a dataset with wrong labels and ruined pictures, to try methods on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.sources import NotAFile, read_file
from moderate_cli.errors import ArgumentError, DatasetError, DeviceError
from moderate_cli.exporting.folders import LINKS, copy_files
from moderate_cli.exporting.records import Table, write_table
from moderate_cli.files.atomic import check_free, new_folder
from moderate_cli.guard import Guard
from moderate_cli.images.opening import UnreadableImage
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS
from moderate_cli.perturbation.corruptions import CORRUPTIONS, Pixels
from moderate_cli.perturbation.scenario import ATTACKS, Attack, Perturbed, plan
from moderate_cli.selection.counts import exact
from moderate_cli.threads import in_threads

__all__ = ["ATTACKS", "RECORD", "Attack", "Perturbed", "perturb", "plan"]

RECORD = "perturbed.csv"
Ruin = Callable[[Pixels, np.random.Generator], Pixels]
PART = 50  # images that one thread makes before it tells of progress


def perturb(
    dataset: Dataset,
    destination: str | os.PathLike[str],
    *,
    label_noise: float | str | Fraction = 0,
    pair_noise: float | str | Fraction = 0,
    corrupt: float | str | Fraction = 0,
    attack: Attack | None = None,
    seed: int = 0,
    link: str = "symbolic",
    max_pixels: int = DEFAULT_MAX_PIXELS,
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
    attack
        What is done to others, which are written as PNG, too.
    seed
        For what is drawn at random.
    link
        What unruined images are, as in `moderate_cli.export`.
    max_pixels
        Width times height that a picture may have that is ruined.
    on_progress
        Called with the number of images done and the number of all.

    Returns
    -------
    list of Perturbed
        One of each image, in row order.

    Raises
    ------
    ArgumentError, DatasetError, DeviceError, OutputError, WeightsError
        If an argument is out of range, an image cannot be ruined for it cannot be read, the device
        cannot do it, the folder cannot be written, or the weights cannot be had. Nothing is left
        then.
    """
    planned = plan(dataset, exact(label_noise), exact(pair_noise), exact(corrupt), attack, seed)
    if link not in LINKS:
        raise ArgumentError(f"link: {link!r} is none of {', '.join(LINKS)}")
    if not dataset.in_files:
        raise DatasetError(f"{dataset.root}: is not in files of this machine, which perturb wants")
    Guard.of(dataset).check_folder(destination)
    check_free(destination)
    ruin: Mapping[str, Ruin] = CORRUPTIONS
    if attack is not None:
        # torch takes seconds to load.
        from moderate_cli.perturbation.attacks import load_attack

        ruin = {**CORRUPTIONS, attack.name: load_attack(attack)}
    with new_folder(destination) as folder:
        folders = {os.path.dirname(image.path) for image in planned} | set(dataset.classes)
        for name in folders:
            (folder / name).mkdir(parents=True, exist_ok=True)

        def make(rows: range) -> int:
            for row in rows:
                _make(dataset, folder, planned[row], link, ruin, (seed, row), max_pixels)
            return len(rows)

        parts = [
            range(start, min(start + PART, len(planned))) for start in range(0, len(planned), PART)
        ]
        done = 0
        with without_warnings(), closing(in_threads(make, parts)) as counts:
            for count in counts:
                done += count
                if on_progress is not None:
                    on_progress(done, len(planned))
        write_table(folder / RECORD, _record(dataset, planned))
    return planned


def _make(
    dataset: Dataset,
    folder: Path,
    image: Perturbed,
    link: str,
    ruin: Mapping[str, Ruin],
    seed: tuple[int, int],
    max_pixels: int,
) -> None:
    source = dataset.root / image.source
    target = folder / image.path
    if not image.corruption:
        copy_files(source.parent, target.parent, [(source.name, target.name)], link)
        return
    # torch takes seconds to load; where no picture is ruined it is not needed.
    from moderate_cli.images.preprocessing import decode

    try:
        content, _ = read_file(os.fspath(source))
        pixels = decode(content, max_pixels=max_pixels).permute(1, 2, 0).numpy()
        changed = ruin[image.corruption](pixels, np.random.default_rng(seed))
    except OSError as error:
        raise DatasetError(f"{source}: {error.strerror}; remove it first") from None
    except (UnreadableImage, NotAFile) as error:
        raise DatasetError(f"{source}: {error}; remove it first") from None
    except MemoryError:
        raise DatasetError(
            f"{source}: to ruin it needs more memory than there is; remove it first"
        ) from None
    except DeviceError as error:
        raise DeviceError(f"{source}: {error}") from None
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
        for image, label in zip(planned, dataset.labels.tolist(), strict=True)
        if image.label != label or image.corruption
    ]
    return Table(("path", "class", "original_path", "original_class", "corruption"), rows)
