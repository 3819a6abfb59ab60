"""The inputs that a user names, as one frozen record that checks itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import cast

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.image_folders import ImageFolder
from moderate_cli.dataset.lists import SUFFIXES, is_list
from moderate_cli.embedding import EmbedOptions
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.inputs.arrays import Array
from moderate_cli.networks.table import AUTO, DEFAULT_BACKBONE, FITTED
from moderate_cli.scoring import CRITERIA, Scores
from moderate_cli.store import FeatureStore
from moderate_cli.text import clipped, one_of

Data = str | os.PathLike[str] | Dataset | ImageFolder  # arguments and result of `scan`

CLUSTERED = re.compile(r"kmeans:([1-9][0-9]{0,39})")


@dataclass(frozen=True)
class Inputs:
    """A dataset, features with labels, or scores.

    Attributes
    ----------
    data
        A `Dataset`, a path or URL as for `moderate_cli.scan`, or a feature set.
    features
        Feature matrices (n, d), or `.npy` files; several are ranked together.
    labels
        Of `features` or `scores`: class of each row, int (n,), or a `.npy` file. Of `data`: a table
        of corrected labels, such as `corrected.csv`. Or "kmeans:K" to cluster the features.
    scores
        A score for each image, (n,), or a `.npy` file.
    backbones
        Backbones of the features of `data`; several are ranked together.
    embedding
        Options for computing these features; its backbone is the first of `backbones`.

    Raises
    ------
    ArgumentError
        If some of them exclude each other, or one is missing.
    """

    data: Data | FeatureStore | None = None
    features: tuple[Array, ...] = ()
    labels: Array | None = None
    scores: Array | Scores | None = None
    backbones: tuple[str, ...] = ()
    embedding: EmbedOptions = field(default_factory=EmbedOptions)

    def __post_init__(self) -> None:
        if not self.backbones:
            object.__setattr__(self, "backbones", (self.embedding.backbone,))
        inputs = {"data": self.data is not None, "features": bool(self.features)}
        inputs["scores"] = self.scores is not None
        given = [name for name, is_given in inputs.items() if is_given]
        if not given:
            raise OptionError("missing {}, a dataset folder", "data")
        if len(given) > 1:
            raise OptionError("use {} or {}, not both", *given[:2])
        if self.data is not None and self.labels is not None and not self.clusters:
            self._check_corrections()
        if isinstance(self.scores, Scores) and self.labels is not None:
            raise ArgumentError("scores: have the classes of their images; leave out labels")
        if self.scores is not None and self.clusters:
            raise OptionError("{} needs {}, not {}", ("labels", self.labels), "features", "scores")
        if self.features and self.labels is None:
            raise OptionError("{} needs {}", "features", "labels")
        if self.clusters and FITTED in self.backbones and self.embedding.weights is None:
            raise OptionError(  # it is trained on the classes that clusters replace
                "use {} or {}, not both", ("backbone", FITTED), ("labels", self.labels)
            )
        if len(self.backbones) > 1 and self.embedding.weights is not None:
            raise OptionError("{} takes only one {}", "weights", "backbone")
        for name in self.backbones:
            if self.backbones.count(name) > 1:
                raise OptionError("{} is given twice", ("backbone", name))

    def _check_corrections(self) -> None:
        """Refuse labels beside a dataset that are not a table of images."""
        if not isinstance(self.labels, (str, os.PathLike)):
            raise OptionError("use {} or {}, not both", "data", "labels")
        if not is_list(self.labels):
            named = ("labels", os.fspath(self.labels))
            raise OptionError(
                "with {}, {} is neither kmeans:K nor a table of corrected labels"
                f" ({one_of(SUFFIXES)})",
                "data",
                named,
            )

    @property
    def corrections(self) -> str | None:
        """The file of corrected labels, if any."""
        if self.data is None or self.labels is None or self.clusters:
            return None
        return os.fspath(cast(str, self.labels))

    @property
    def clusters(self) -> int | None:
        """The number of clusters that replace the classes, if any."""
        if not isinstance(self.labels, str) or not self.labels.startswith("kmeans:"):
            return None
        return clusters_in(self.labels)

    @property
    def embeddings(self) -> list[EmbedOptions]:
        """The options for computing the features of `data`, one record per backbone."""
        return [replace(self.embedding, backbone=name) for name in self.backbones]

    def without_own(self) -> Inputs:
        """Return it with the default backbone in place of "auto".

        A network that was trained on the classes brings their images together: that serves neither
        clusters nor near duplicates.
        """
        names = tuple(DEFAULT_BACKBONE if name == AUTO else name for name in self.backbones)
        embedding = replace(self.embedding, backbone=names[0])
        return replace(self, backbones=names, embedding=embedding)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are read besides the dataset."""
        arrays = (*self.features, self.labels, self.scores, self.embedding.weights)
        return tuple(
            os.fspath(one)
            for one in arrays
            if isinstance(one, (str, os.PathLike)) and not (one is self.labels and self.clusters)
        )

    def check_criterion(self, criterion: str) -> None:
        """Refuse a criterion of the training of `moderate fit` with other features.

        Raises
        ------
        ArgumentError
            Naming the criterion.
        """
        names = self.backbones
        if isinstance(self.data, FeatureStore):
            names = (self.data.manifest.spec.backbone,)
        if CRITERIA[criterion].fitted and (self.data is None or names != (FITTED,)):
            raise OptionError("{} needs {}", ("criterion", criterion), ("backbone", FITTED))

    def check_single(self, *option: str | tuple[str, object]) -> None:
        """Refuse several feature sets, or scores alone, for an option that compares features.

        Raises
        ------
        ArgumentError
            Naming the option.
        """
        (named,) = option
        if self.scores is not None:
            raise OptionError("{} needs features, not {}", named, "scores")
        for name, sets in (("backbone", self.backbones), ("features", self.features)):
            if len(sets) > 1:
                raise OptionError("{} takes only one {}", named, name)


def clusters_in(labels: str) -> int:
    """Read the number of clusters after "kmeans:".

    Raises
    ------
    ArgumentError
        If there is no positive number.
    """
    found = CLUSTERED.fullmatch(labels)
    if found is None:
        raise ArgumentError(
            f"labels: {clipped(labels)!r} has no number of clusters; use kmeans:K, e.g. kmeans:100"
        )
    return int(found[1])


def name_of(data: Data | FeatureStore) -> str:
    """Return the dataset's name, as the user wrote it."""
    if isinstance(data, FeatureStore):
        return os.fspath(data.folder)
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    return os.fspath(data.home if isinstance(data, Dataset) else data.root)
