"""What is known of the network of a dataset, in a file beside it that needs no torch to be read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest, file_stats
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.errors import StoreError, WeightsError
from moderate_cli.files.regular import read_regular
from moderate_cli.fitting.options import FitOptions
from moderate_cli.networks.table import weights_digest
from moderate_cli.store.layout import place_of, store_folder

FORMAT = 1
FOLDER, NETWORK, FACTS = "fitted", "network.pt", "fitted.json"


@dataclass(frozen=True)
class Fit:
    """A network that was trained on a dataset.

    Attributes
    ----------
    weights
        File of the networks of all folds.
    network, size
        Name of the network, and pixels a side of its input.
    folds, epochs, images, classes
        Number of each; images that could not be read are not counted.
    judged, accuracy
        Number of images that a network did not see, and for which share of them it is right, by
        their labels.
    pretrained
        The same of a linear head on features of the default backbone.

    Examples
    --------
    >>> from moderate_cli import fit
    >>> fit("data/train", network="cnn", epochs=1, folds=2).images
    8
    """

    weights: Path
    network: str
    size: int
    folds: int
    epochs: int
    images: int
    classes: int
    judged: int
    accuracy: float
    pretrained: float

    @property
    def serves(self) -> bool:
        """Whether it knows the classes better than the default backbone, beyond the error.

        The error is two standard errors of the difference of two independent shares, each with two
        right and two wrong images added (Agresti and Caffo, 2000).
        """
        counts = np.array([self.judged, self.images])
        shares = (np.array([self.accuracy, self.pretrained]) * counts + 2) / (counts + 4)
        error = 2 * np.sqrt((shares * (1 - shares) / (counts + 4)).sum())
        return bool(shares[0] > shares[1] + error)


def fit_folder(dataset: Dataset, store: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the network of a dataset."""
    return store_folder(dataset.root, store) / FOLDER


def find_fit(
    dataset: Dataset, store: str | os.PathLike[str] | None, how: FitOptions | None = None
) -> tuple[Fit, bool] | None:
    """Return the network in the store, and whether it is up to date.

    Parameters
    ----------
    dataset
        The images; the network is up to date if they are those that it was trained on.
    store
        Folder for feature sets, as in `EmbedOptions`.
    how
        How it must have been trained; None for any options.

    Raises
    ------
    StoreError
        If it belongs to another dataset.
    """
    found = _read(fit_folder(dataset, store))
    if found is None:
        return None
    facts, fit = found
    own = facts["data"] == fingerprint(dataset)
    moved = facts["dataset"] != _place(dataset, fit.weights.parent)
    if not own and moved:
        raise StoreError(
            f"{fit.weights.parent}: is the network of another dataset; pass another --store DIR,"
            " or remove it"
        )
    return fit, own and (how is None or facts["options"] == asdict(how))


def may_go_on(dataset: Dataset, store: str | os.PathLike[str] | None, how: FitOptions) -> bool:
    """Whether the network in the store was trained as asked for, on the same classes."""
    found = _read(fit_folder(dataset, store))
    if found is None:
        return False
    facts, _ = found
    return bool(facts["options"] == asdict(how) and facts["classes"] == list(dataset.classes))


def _read(folder: Path) -> tuple[dict[str, Any], Fit] | None:
    """Read the facts of a network; None if they, or the network, are missing or damaged."""
    try:
        facts = json.loads(read_regular(folder / FACTS))
        fit = Fit(folder / NETWORK, **facts["fit"])
        if not 0 < fit.judged <= fit.images or not 0 <= fit.accuracy <= 1:
            return None
        known = all(name in facts for name in ("options", "classes", "data", "dataset"))
        if known and facts["format"] == FORMAT and facts["digest"] == weights_digest(fit.weights):
            return facts, fit
    except (OSError, ValueError, TypeError, KeyError, WeightsError):
        pass
    return None


def write_facts(path: Path, dataset: Dataset, data: str, fit: Fit, how: FitOptions) -> None:
    """Write the facts about a network into its new folder.

    Parameters
    ----------
    path
        The file, beside the network.
    dataset, data
        The images, and their `fingerprint` before they were read.
    fit, how
        The network, and how it was trained.
    """
    fields: dict[str, Any] = asdict(fit)
    del fields["weights"]
    facts = {
        "format": FORMAT,
        "fit": fields,
        "options": asdict(how),
        "classes": dataset.classes,
        "data": data,
        "dataset": _place(dataset, fit.weights.parent),
        "digest": weights_digest(path.with_name(NETWORK)),
    }
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="ascii")


def _place(dataset: Dataset, folder: Path) -> str:
    return os.fsdecode(place_of(dataset, folder.parent))


def fingerprint(dataset: Dataset) -> str:
    """Return what changes with the paths, classes, sizes and times of the files."""
    stats = file_stats(dataset)[:, : CHECKS["mtime"]]
    parts = (Paths.of(dataset.paths).content, np.ascontiguousarray(dataset.labels), stats)
    return content_digest(b"".join(map(bytes, parts))).hex()
