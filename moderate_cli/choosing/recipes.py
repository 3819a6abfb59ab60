"""The recipe of a selection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.exporting.recipes import Recipe
from moderate_cli.inputs import Source
from moderate_cli.selection import Choice, written
from moderate_cli.store import FeatureStore
from moderate_cli.version import __version__

AMOUNTS = ("ratio", "count")
DEFAULTS = {field.name: field.default for field in fields(Choice)}
FEATURES = ("precision", "dtype", "decode", "orientation")
# All that a recipe may set, as on the command line.
OPTIONS = {name.replace("_", "-") for name in DEFAULTS} | {"backbone", "labels", *FEATURES}


def recipe_of(
    source: Source,
    choice: Choice,
    counts: Mapping[str, list[int]],
    earlier: Mapping[str, Any] | None = None,
) -> Recipe | None:
    """Return how a selection from a dataset was made; None for one from arrays.

    Parameters
    ----------
    source, choice
        The images, and the options of the selection.
    counts
        Class name -> number of images, and number of kept images.
    earlier
        The earlier selection whose images were kept in any case, if any.
    """
    dataset, stores = source.dataset, source.stores
    if dataset is None or not stores:
        return None
    facts = {
        "moderate": __version__,
        "options": dict(_options(choice)) | _clusters(source) | _features(stores),
        **_corrections(dataset),
        "weights": {
            store.manifest.spec.backbone: store.manifest.weights_sha256 for store in stores
        },
        "dataset": {
            "name": dataset.home.name,
            "images": len(dataset),
            "blake2b": _digest(dataset, stores[0]),
            "classes": counts,
        },
    }
    if earlier is not None:
        facts["kept_from"] = earlier
    return Recipe(facts, stores[0].digests)


def _options(choice: Choice) -> Iterator[tuple[str, str]]:
    """Yield the options of the choice that are not the default, as they are on the command line."""
    for name, default in DEFAULTS.items():
        value = getattr(choice, name)
        if value != default or name in ("strategy", "scope", "seed"):
            numeric = isinstance(value, (float, Fraction)) or name in AMOUNTS
            yield name.replace("_", "-"), written(value) if numeric else str(value)


def _clusters(source: Source) -> dict[str, str]:
    """Return the option of the clusters that replace the classes, if they do."""
    first = source.sets[0]
    return {"labels": f"kmeans:{len(first.classes)}"} if first.labeling else {}


def _corrections(dataset: Dataset) -> dict[str, Any]:
    """Return the file that corrected the labels, and how many, if any."""
    found = dataset.corrections
    if found is None or not found.key:
        return {}
    left_out = int(np.count_nonzero(found.left_out))
    counts = {"corrected": len(found.changed), "left_out": left_out}
    return {"corrections": {"file": Path(found.name).name, "blake2b": found.digest, **counts}}


def _features(stores: tuple[FeatureStore, ...]) -> dict[str, Any]:
    """Return the options of the features."""
    specs = [store.manifest.spec for store in stores]
    own = {name: getattr(specs[0], name) for name in FEATURES}
    return {"backbone": [spec.backbone for spec in specs], **own}


def _digest(dataset: Dataset, store: FeatureStore) -> str:
    """Return the BLAKE2b of paths and contents of all images."""
    paths = "\0".join(dataset.paths).encode(errors="surrogateescape")
    return content_digest(paths + b"\0" + store.digests.tobytes()).hex()
