"""Scores of images that were recorded while a network was trained on them, in a file beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Digests, Doubles, Floats, Labels
from moderate_cli.dataset.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.files.npy import read_sealed, sealed
from moderate_cli.files.regular import read_regular
from moderate_cli.networks.table import FITTED
from moderate_cli.store.feature_store import FeatureStore

FOLDER, RECORDED = "fitted", "dynamics.npy"
NAMES = ("el2n", "grand", "forgetting", "aum")
ROW = np.dtype([("image", "V32"), *((name, "<f4") for name in NAMES)])


def encoded(
    scores: Floats, digests: Digests, labels: Labels, classes: Sequence[str], network: str
) -> bytes:
    """Return the bytes of the file.

    Parameters
    ----------
    scores
        float32 (4, n), those of `NAMES`.
    digests, labels, classes
        Digest of each file, (n, 16), its class, (n,), and the names of classes. Copies of an image
        in a class get their mean score.
    network
        SHA-256 of the file of the network, to which this one is bound.
    """
    keys, firsts = np.unique(_keys(digests, labels, classes), return_inverse=True)
    table = np.empty(len(keys), ROW)
    table["image"] = keys.view("V32")
    for name, values in zip(NAMES, scores, strict=True):
        table[name] = np.bincount(firsts, values) / np.bincount(firsts)
    content = io.BytesIO()
    np.save(content, table, allow_pickle=False)
    return sealed(content.getvalue(), bytes.fromhex(network))


def read_table(folder: Path, network: str) -> npt.NDArray[np.void]:
    """Read the file in the folder of a network.

    Raises
    ------
    ValueError
        If it is damaged, or of another network.
    OSError
        If it cannot be read.
    """
    table = read_sealed(read_regular(folder / RECORDED), bytes.fromhex(network))
    if table.dtype != ROW or table.ndim != 1 or not len(table):
        raise ValueError("is not a table of scores")
    return table


def recorded_of(store: FeatureStore, labels: Labels | None = None) -> dict[str, Doubles] | None:
    """Return the scores of the images of a feature set: name -> float64 (n,), NaN if unknown.

    None if the set is not of a network in the same store. An image is known by its bytes and its
    class, so that one whose label was corrected has no score. `labels`, (n,), replace those of the
    set.
    """
    if store.manifest.spec.backbone != FITTED:
        return None
    try:
        table = read_table(store.folder.parent / FOLDER, store.manifest.weights_sha256)
    except (OSError, ValueError):
        return None
    known = np.ascontiguousarray(table["image"]).view("S32")
    own = store.labels if labels is None else labels
    asked = _keys(store.digests, own, store.manifest.classes)
    at = np.searchsorted(known, asked).clip(max=len(known) - 1)
    return {name: np.where(known[at] == asked, table[name][at], np.nan) for name in NAMES}


def digests_in(folder: Path, network: str) -> set[bytes]:
    """Return the digests of the files of all images; errors as of `read_table`."""
    keys = np.ascontiguousarray(read_table(folder, network)["image"]).view(np.uint8)
    return set(map(bytes, keys.reshape(-1, 2 * DIGEST_SIZE)[:, :DIGEST_SIZE]))


def is_of_set(folder: Path, network: str, store: FeatureStore, labels: Labels) -> bool:
    """Whether they are the readable images of a feature set, with these classes, and no others.

    `labels`, (n,), is negative for images that must not be there.
    """
    table = read_table(folder, network)
    rows = np.flatnonzero(store.readable & (labels >= 0))
    keys = _keys(store.digests[rows], labels[rows], store.manifest.classes)
    return np.array_equal(np.unique(keys), np.ascontiguousarray(table["image"]).view(keys.dtype))


def _keys(digests: Digests, labels: Labels, classes: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Return a key for each image, which changes with its bytes and with its class."""
    of_classes = b"".join(content_digest(name.encode(errors="surrogateescape")) for name in classes)
    rows = np.frombuffer(of_classes, dtype=np.uint8).reshape(len(classes), -1)[labels]
    return np.concatenate([digests, rows], axis=1).view("S32").ravel()
