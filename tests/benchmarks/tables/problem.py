"""A problem: the pool of one seed of a dataset and scenario, its selections, and its judges."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from moderate_cli.choosing import Chooser
from moderate_cli.evaluation import FULL, Cell, Learner, ProbeLearner, Result
from moderate_cli.evaluation.training import Pictures, TrainLearner
from moderate_cli.files.atomic import new_file
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import Choice, kept_count
from tests.benchmarks.tables.data import Data
from tests.benchmarks.tables.judges import HEAD, PATCHES, RECIPES
from tests.benchmarks.tables.scenarios import SCENARIOS, draw
from tests.benchmarks.tables.ways import ORACLE, WAYS


class Problem:
    """One pool; all ways select from it, and all judges are trained on the same selections.

    Parameters
    ----------
    data, scenario, seed
        The dataset, a key of `SCENARIOS`, and what draws the pool.
    kept
        Folder of the selections that were made before, of a way: they need no features.
    """

    def __init__(self, data: Data, scenario: str, seed: int) -> None:
        self._data, self._name, self._seed = data, f"{data.name}-{scenario}-{seed}", seed
        self._part = SCENARIOS[scenario].part
        truth = data.scan(self._part).labels
        ruined = data.ruined() if self._part == "ruined" else np.zeros(len(truth), dtype=np.bool_)
        self._drawn = draw(truth, ruined, SCENARIOS[scenario], data.kind.share, seed)
        self._truth = data.scan("test").labels
        self._learners: dict[str, Learner] = {}

    def select(self, cell: Cell, folder: Path) -> np.ndarray:
        """Return the kept positions in the pool, ascending; read them if they were kept before."""
        images = len(self._drawn.rows)
        if cell.strategy == FULL:
            return np.arange(images)
        path = folder / f"{self._name}-{cell.ratio}.npy"
        if path.exists():
            return np.flatnonzero(np.unpackbits(np.load(path), count=images))
        folder.mkdir(parents=True, exist_ok=True)
        chooser = self._of_oracle if cell.strategy == ORACLE else self._chooser
        choice = Choice(
            count=kept_count(images, cell.ratio, None), seed=self._seed, **WAYS[cell.strategy]
        )
        # All ways keep as many, unless fewer are left to select from.
        left = int(np.count_nonzero(chooser.prepare(choice).eligible))
        found = chooser.choose(replace(choice, count=min(choice.count, left)))
        with new_file(path) as file:
            np.save(file, np.packbits(found.mask))
        return found.rows

    def judge(self, judge: str, kept: np.ndarray) -> Result:
        """Train a classifier on a selection, and return its accuracy on the test set."""
        right = self._learner(judge)(kept, np.empty(0, dtype=np.int64), self._seed) == self._truth
        return Result(len(kept), float(right.mean()), _worst(right, self._truth))

    def sound(self, kept: np.ndarray) -> Result:
        """Return the share of the kept images that are not spoiled, in place of an accuracy."""
        sound = ~self._drawn.spoiled[kept]
        return Result(len(kept), float(sound.mean()), _worst(sound, self._drawn.labels[kept]))

    @cached_property
    def _source(self) -> Source:
        return Source((self._labeled(self._data.features(self._part)[self._drawn.rows]),))

    @cached_property
    def _chooser(self) -> Chooser:
        return Chooser(self._source)

    @cached_property
    def _of_oracle(self) -> Chooser:
        return Chooser(self._source.limited(~self._drawn.spoiled))

    def _labeled(self, features: np.ndarray) -> LabeledFeatures:
        every = np.ones(len(features), dtype=np.bool_)
        return LabeledFeatures(features, self._drawn.labels, every)

    def _learner(self, judge: str) -> Learner:
        if judge not in self._learners:
            self._learners[judge] = self._make(judge)
        return self._learners[judge]

    def _make(self, judge: str) -> Learner:
        if judge == HEAD:
            return ProbeLearner(self._source.sets[0], self._tested(self._data.features("test")))
        if judge == PATCHES:
            encoded = self._data.encoded(self._part)[self._drawn.rows]
            return ProbeLearner(self._labeled(encoded), self._tested(self._data.encoded("test")))
        recipe = RECIPES[judge]
        pixels = self._data.pictures(self._part, recipe.size, self._drawn.rows)
        every = np.ones(len(pixels), dtype=np.bool_)
        test = self._data.pictures("test", recipe.size)
        return TrainLearner(
            Pictures(pixels, self._drawn.labels, every),
            Pictures(test, self._truth, np.ones(len(test), dtype=np.bool_)),
            recipe,
        )

    def _tested(self, features: np.ndarray) -> LabeledFeatures:
        return LabeledFeatures(features, self._truth, np.ones(len(features), dtype=np.bool_))


def _worst(right: np.ndarray, labels: np.ndarray) -> float:
    """Return the lowest share of any class."""
    _, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return float((np.bincount(members, right) / sizes).min())
