"""What is known of the network of a dataset, in a file beside it that needs no torch to be read."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moderate_cli.arrays import Stats
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest, file_stats
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import CHECKS, NotAFile
from moderate_cli.errors import OutputError, StoreError, WeightsError
from moderate_cli.files.atomic import new_file
from moderate_cli.files.regular import read_regular
from moderate_cli.fitting.options import FitOptions
from moderate_cli.networks.table import FITTED, weights_digest
from moderate_cli.store.feature_store import FeatureStore
from moderate_cli.store.inventory import SetInfo
from moderate_cli.store.layout import place_of, store_folder
from moderate_cli.store.recorded import FOLDER, digests_in, is_of_set, read_table

FORMAT = 2
NETWORK, FACTS = "network.pt", "fitted.json"
LOOKED_AT = 64  # images of a dataset that was moved, to know it again


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
        The same of a linear probe on features of the default backbone; None if it is not known yet.
    corrections_key
        Stands for the corrected labels that it was trained on; "" for those of the dataset.

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
    pretrained: float | None
    corrections_key: str = ""

    @property
    def serves(self) -> bool:
        """Whether it knows the classes better than the default backbone, beyond the error.

        The error is two standard errors of the difference of two independent shares, each with two
        right and two wrong images added (Agresti and Caffo, 2000).
        """
        if self.pretrained is None:
            return False
        counts = np.array([self.judged, self.images])
        shares = (np.array([self.accuracy, self.pretrained]) * counts + 2) / (counts + 4)
        error = 2 * np.sqrt((shares * (1 - shares) / (counts + 4)).sum())
        return bool(shares[0] > shares[1] + error)


def fit_folder(dataset: Dataset, store: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the network of a dataset."""
    return store_folder(dataset.home, store) / FOLDER


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
        How it must have been trained, on the corrected labels of the dataset; None for any options
        and corrections.

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
    if not own and moved and not _is_mostly_of(dataset, facts, fit):
        raise StoreError(
            f"{fit.weights.parent}: is the network of another dataset; pass another --store DIR,"
            " or remove it"
        )
    same = fit.corrections_key == dataset.corrections_key
    return fit, own and (how is None or (same and _is_trained_so(facts, how)))


def find_serving(dataset: Dataset, store: str | os.PathLike[str] | None) -> tuple[Fit, bool] | None:
    """Return the network in the store if it may serve, and whether it is up to date.

    The files are not examined if it does not serve; errors as of `find_fit`.
    """
    found = _read(fit_folder(dataset, store))
    if found is None or not (found[1].serves or found[1].pretrained is None):
        return None
    return find_fit(dataset, store)


def is_of_another(features: SetInfo) -> bool:
    """Whether features are of another network than the one of `fit` that is now beside them."""
    if features.backbone != FITTED:
        return False
    network = Path(features.feature_set).parent / FOLDER / NETWORK
    with contextlib.suppress(WeightsError):
        return weights_digest(network) != features.weights_sha256
    return False  # there is none: that of the data has made these features of a test set


def options_of(dataset: Dataset, store: str | os.PathLike[str] | None) -> FitOptions | None:
    """Return how the network in the store was trained, if there is one."""
    found = _read(fit_folder(dataset, store))
    with contextlib.suppress(TypeError, ValueError):  # of a later version
        return None if found is None else FitOptions(**found[0]["options"])
    return None


def may_go_on(dataset: Dataset, store: str | os.PathLike[str] | None, how: FitOptions) -> bool:
    """Whether the network in the store was trained as asked for, on the same classes."""
    found = _read(fit_folder(dataset, store))
    if found is None:
        return False
    facts, _ = found
    return _is_trained_so(facts, how) and facts["classes"] == list(dataset.classes)


def confirmed(dataset: Dataset, features: FeatureStore, how: FitOptions) -> Fit | None:
    """Return the network if it was trained as asked for on the bytes and classes of these images.

    Names and times of the files do not count. They are kept for the next time.

    Parameters
    ----------
    dataset
        The images.
    features
        A feature set of them, up to date, in the same store.
    how
        How the network must have been trained.
    """
    folder = features.folder.parent / FOLDER
    found = _read(folder)
    if found is None:
        return None
    facts, fit = found
    given = dataset.corrections
    labels = dataset.labels if given is None else given.corrected
    if not _is_trained_so(facts, how) or not is_of_set(folder, facts["digest"], features, labels):
        return None
    fit = replace(fit, corrections_key=dataset.corrections_key)
    _keep(fit, facts | {"data": fingerprint(dataset), "dataset": _place(dataset, folder)})
    return fit


def keep_comparison(fit: Fit) -> None:
    """Keep the accuracy of the default features, beside the network."""
    found = _read(fit.weights.parent)
    if found is not None:
        _keep(fit, found[0])


def _keep(fit: Fit, facts: dict[str, Any]) -> None:
    """Replace the facts, if they can be written: another time they are found out again."""
    with contextlib.suppress(OSError, OutputError), new_file(fit.weights.with_name(FACTS)) as file:
        file.write(_encoded(facts | {"fit": _fields(fit)}))


def _is_mostly_of(dataset: Dataset, facts: dict[str, Any], fit: Fit) -> bool:
    """Whether the network was trained on some of the images: the dataset was moved and changed.

    They are at least half of those that are expected of a training that may have left some out.
    """
    known = digests_in(fit.weights.parent, facts["digest"])
    rows = np.linspace(0, len(dataset) - 1, min(len(dataset), LOOKED_AT)).astype(int).tolist()
    same = 0
    for row in rows:
        with contextlib.suppress(OSError, NotAFile):
            content, _ = dataset.source.read(f"{dataset.root}/{dataset.paths[row]}")
            same += content_digest(content) in known
    return same >= len(rows) / 2 * min(1, fit.images / len(dataset))


def _is_trained_so(facts: dict[str, Any], how: FitOptions) -> bool:
    """Whether a network was trained with these options, of which earlier versions lacked some."""
    found = facts["options"]
    return isinstance(found, dict) and {**asdict(FitOptions()), **found} == asdict(how)


def _read(folder: Path) -> tuple[dict[str, Any], Fit] | None:
    """Read the facts of a network; None if they, or the network, are missing or damaged."""
    try:
        facts = json.loads(read_regular(folder / FACTS))
        fit = Fit(folder / NETWORK, **facts["fit"])
        if not 0 < fit.judged <= fit.images or not 0 <= fit.accuracy <= 1:
            return None
        known = all(name in facts for name in ("options", "classes", "data", "dataset"))
        if known and facts["format"] == FORMAT and facts["digest"] == weights_digest(fit.weights):
            read_table(folder, facts["digest"])
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
    facts = {
        "format": FORMAT,
        "fit": _fields(fit),
        "options": asdict(how),
        "classes": dataset.classes,
        "data": data,
        "dataset": _place(dataset, fit.weights.parent),
        "digest": weights_digest(path.with_name(NETWORK)),
    }
    path.write_bytes(_encoded(facts))


def _fields(fit: Fit) -> dict[str, Any]:
    fields: dict[str, Any] = asdict(fit)
    del fields["weights"]
    return fields


def _encoded(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2) + "\n").encode("ascii")


def _place(dataset: Dataset, folder: Path) -> str:
    return os.fsdecode(place_of(dataset, folder.parent))


def fingerprint(dataset: Dataset, known: Stats | None = None) -> str:
    """Return what changes with the paths, classes, sizes and times of the files.

    Parameters
    ----------
    dataset
        The images.
    known
        Stat of each when it was read; None to ask for those of now.
    """
    stats = (file_stats(dataset) if known is None else known)[:, : CHECKS["mtime"]]
    parts = (Paths.of(dataset.paths).content, np.ascontiguousarray(dataset.labels), stats)
    return content_digest(b"".join(map(bytes, parts))).hex()
