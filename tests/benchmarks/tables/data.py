"""The datasets of the tables: pictures, features, and encodings by patches, made once."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import moderate_cli
from moderate_cli.dataset import Dataset
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.training import read_pictures
from moderate_cli.files.atomic import new_file
from moderate_cli.networks.table import DEFAULT_BACKBONE
from moderate_cli.perturbation.copying import RECORD
from tests.benchmarks.tables.kinds import KINDS, Kind
from tests.benchmarks.tables.patches import Encoder

RUINED = 0.2  # share of the pictures


@dataclass(frozen=True)
class Data:
    """A dataset with its work folder.

    Attributes
    ----------
    name
        A key of `KINDS`.
    folder
        An ImageFolder for each of "train" and "test".
    work
        Folder for features and encodings, and for the ruined copy, the part "ruined".
    backbone
        Of the features.
    """

    name: str
    folder: Path
    work: Path
    backbone: str = DEFAULT_BACKBONE

    @property
    def kind(self) -> Kind:
        """What is measured of it."""
        return KINDS[self.name]

    def scan(self, part: str) -> Dataset:
        """List the images of a part; the ruined copy is made first."""
        if part == "ruined" and not self._folder(part).exists():
            moderate_cli.perturb(self._folder("train"), self._folder(part), corrupt=RUINED)
        return moderate_cli.scan(self._folder(part))

    def ruined(self) -> np.ndarray:
        """Which rows of the part "ruined" are ruined pictures, bool (n,)."""
        paths = self.scan("ruined").paths
        with (self._folder("ruined") / RECORD).open(newline="") as file:
            changed = {row["path"] for row in csv.DictReader(file)}
        return np.array([path in changed for path in paths])

    def features(self, part: str) -> np.ndarray:
        """Return the features of a part, (n, d), memory-mapped."""
        dataset, store = self.scan(part), self._store(part)
        if part == "ruined" and not store.exists():  # so that only ruined ones are computed
            self.features("train")
            shutil.copytree(self._store("train"), store)
        return moderate_cli.embed(dataset, store=store, backbone=self.backbone).features

    def encoded(self, part: str) -> np.ndarray:
        """Return the encoding by patches of training pictures, float16 (n, d), memory-mapped."""
        path = self.work / f"{part}-patches.npy"
        if not path.exists():
            encode = Encoder(self.pictures("train", self.kind.size))
            with new_file(path) as file:
                np.save(file, encode(self.pictures(part, self.kind.size)))
        return np.load(path, mmap_mode="r")

    def pictures(self, part: str, size: int, rows: np.ndarray | None = None) -> torch.Tensor:
        """Return pictures, all or some rows: uint8 (n, 3, size, size)."""
        path = self.work / f"{part}-{size}.npy"
        if not path.exists():
            dataset = self.scan(part)
            wanted = np.ones(len(dataset), dtype=np.bool_)
            found = read_pictures(dataset, dataset.labels, wanted, Recipe(size=size))
            with new_file(path) as file:
                np.save(file, found.pixels.numpy())
        kept = np.load(path, mmap_mode="r")
        return torch.from_numpy(np.array(kept if rows is None else kept[rows]))

    def _folder(self, part: str) -> Path:
        return (self.work if part == "ruined" else self.folder) / part

    def _store(self, part: str) -> Path:
        return self.work / f"{part}.moderate"
