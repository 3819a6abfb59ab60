"""All of ImageNet-22k: 14 million features, from arrays and from a dataset folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moderate_cli.dataset import Dataset, scan
from moderate_cli.dataset.fingerprints import content_digest, file_stats
from moderate_cli.dataset.paths import Paths
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import FeatureSpec
from moderate_cli.store.layout import (
    DIGESTS,
    FEATURES,
    LABELS,
    MANIFEST,
    PATHS,
    SUMMED,
    SUMS,
    UNREADABLE,
    store_folder,
)
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.stats import keep_stats
from moderate_cli.store.sums import block_sums
from tests.benchmarks.stages import IMAGENET_22K, MODERATE, Comparison, FeaturesOnDisk, Measured

NAMES_A_FILE = 60_000  # some file systems give a file no more than 65,000 names


def comparisons(folder: Path) -> Iterator[Comparison]:
    """Score and select, each in a process of its own."""
    data = FeaturesOnDisk(folder, **IMAGENET_22K)
    for args, output in (
        (("score", "--center", "mean"), "scores.npy"),
        (("score", "--center", "median"), "scores.npy"),
        (("select", "-r", "0.3"), "kept.npy"),
        (("select", "-r", "0.3", "--scope", "class"), "kept.npy"),
    ):
        ours = data.moderate(*args, "-o", f"{folder}/{output}")
        yield _comparison(" ".join(args), ours, data, "2, 2000 MB")
    root = folder / "train"
    _make_files(root, np.load(data.labels))
    _keep_features(scan(root), data)
    for args in (
        ("embed",),
        ("score", "-o", f"{folder}/scores.npy"),
        ("select", "-r", "0.3", "-o", f"{folder}/kept.txt"),
    ):
        ours = Measured(MODERATE, *args, str(root), before=data.forget)
        yield _comparison(f"{args[0]} DATA", ours, data, "2000 MB")


def _comparison(stage: str, ours: Measured, data: FeaturesOnDisk, aim: str) -> Comparison:
    return Comparison(
        stage, "two sequential reads", ours, data.read_twice, aim, ours.peak, once=True
    )


def _make_files(root: Path, labels: np.ndarray) -> None:
    """Make a file for each label; most are names of others, which takes less room."""
    made, first = 0, ""
    for label, count in enumerate(np.bincount(labels).tolist()):
        folder = f"{root}/n{label:08}"
        os.makedirs(folder)
        for image in range(count):
            path = f"{folder}/n{label:08}_{image}.JPEG"
            if made % NAMES_A_FILE:
                os.link(first, path)
            else:
                first = path
                Path(path).touch()
            made += 1


def _keep_features(dataset: Dataset, data: FeaturesOnDisk) -> None:
    """Make a feature set of a dataset whose features were never computed."""
    spec = FeatureSpec()
    folder = store_folder(dataset.root) / spec.name
    folder.mkdir(parents=True)
    os.link(data.features, folder / FEATURES)
    np.save(folder / LABELS, dataset.labels)
    np.save(folder / SUMS, block_sums(np.load(data.features, mmap_mode="r")))
    np.save(folder / DIGESTS, np.ones((len(dataset), 16), dtype=np.uint8))
    (folder / PATHS).write_bytes(Paths.of(dataset.paths).content)
    (folder / UNREADABLE).touch()
    manifest = Manifest(
        spec=spec,
        weights="none",
        weights_sha256="",
        runtime="none",
        preprocessing=load_network(
            FeatureSpec("pixels"), device="cpu", runtime="torch"
        ).preprocessing,
        rows=len(dataset),
        dim=np.load(data.features, mmap_mode="r").shape[1],
        classes=dataset.classes,
        sums={name: content_digest((folder / name).read_bytes()).hex() for name in SUMMED},
    )
    keep_stats(folder, manifest, file_stats(dataset))
    (folder / MANIFEST).write_bytes(manifest.to_json())
