"""Write a perturbed copy of a dataset, as planned."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from moderate_cli.arrays import UPRIGHT, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.sources import NotAFile, read_file
from moderate_cli.errors import DatasetError, DeviceError, check_choice
from moderate_cli.exporting import Table, write_table
from moderate_cli.exporting.links import LINKS, copy_files
from moderate_cli.files.atomic import new_folder
from moderate_cli.files.destinations import check_free
from moderate_cli.guard import Guard
from moderate_cli.images.opening import UnreadableImage
from moderate_cli.images.quiet import without_warnings
from moderate_cli.listening import SILENT, Listener
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS
from moderate_cli.perturbation.corruptions import CORRUPTIONS, Pixels
from moderate_cli.perturbation.scenario import Attack, Perturbed
from moderate_cli.threads import in_threads

RECORD = "perturbed.csv"
Ruin = Callable[[Pixels, np.random.Generator], Pixels]
PART = 50  # images that one thread writes between two reports of progress


def write_perturbed(
    dataset: Dataset,
    destination: str | os.PathLike[str],
    planned: list[Perturbed],
    *,
    attack: Attack | None = None,
    seed: int = 0,
    link: str = "symbolic",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    listener: Listener = SILENT,
) -> None:
    """Write the copy, completely or not at all; parameters and errors are those of `perturb`."""
    check_choice("link", link, LINKS)
    if not dataset.in_files or dataset.listed is not None:
        raise DatasetError(
            f"{dataset.home}: perturb needs a dataset of plain files on this machine, not"
            " a list, tables or tar files"
        )
    Guard.of(dataset).check_folder(destination)
    check_free(destination)
    ruin: Mapping[str, Ruin] = CORRUPTIONS
    if attack is not None:
        with listener.progress(f"loading {attack.network}"):
            # torch takes seconds to load.
            from moderate_cli.perturbation.attacks import load_attack

            ruin = {**CORRUPTIONS, attack.name: load_attack(attack)}
    with new_folder(destination) as folder:
        folders = {os.path.dirname(image.path) for image in planned} | set(dataset.classes)
        for name in folders:
            (folder / name).mkdir(parents=True, exist_ok=True)

        def make(part: slice) -> int:
            rows = range(len(planned))[part]
            for row in rows:
                _make(dataset, folder, planned[row], link, ruin, (seed, row), max_pixels)
            return len(rows)

        parts = blocks(len(planned), PART)
        progress = listener.progress("perturb")
        with progress as move, without_warnings(), closing(in_threads(make, parts)) as counts:
            for done in itertools.accumulate(counts):
                move(done, len(planned))
        write_table(folder / RECORD, _record(dataset, planned))


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
    # torch takes seconds to load; only ruined pictures need it.
    from moderate_cli.images.decoding import decode
    from moderate_cli.images.orientation import tagged

    try:
        content, _ = read_file(os.fspath(source))
        pixels, tag = decode(content, max_pixels=max_pixels)
        rng = np.random.default_rng(seed)
        changed = ruin[image.corruption](pixels.permute(1, 2, 0).numpy(), rng)
    except OSError as error:
        raise DatasetError(f"{source}: {error.strerror}; remove it first") from None
    except (UnreadableImage, NotAFile) as error:
        raise DatasetError(f"{source}: {error}; remove it first") from None
    except MemoryError:
        raise DatasetError(
            f"{source}: there is not enough memory to ruin it; remove it first"
        ) from None
    except DeviceError as error:
        raise DeviceError(f"{source}: {error}") from None
    # Of its metadata, the copy has only the tag by which it is turned with --orientation exif.
    exif = tagged(tag) if tag > UPRIGHT else None
    Image.fromarray(changed).save(target, "png", exif=exif)


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
