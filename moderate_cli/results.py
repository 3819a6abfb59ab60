"""Results from features and labels: scores, suspects, clusters; cached beside a feature set.

When features change, the folder of the set is replaced as a whole. Results are read from, and
written to, the folder of their features only. Each is bound to the manifest of the set, so a result
of another set, e.g. from a backup, is computed again.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Mask, classes_in
from moderate_cli.errors import ArgumentError, OutputError, check_choice, check_seed
from moderate_cli.files.atomic import new_file
from moderate_cli.files.npy import read_sealed, sealed
from moderate_cli.files.regular import read_regular
from moderate_cli.label_errors.suspects import Suspects, find_suspects
from moderate_cli.scoring import CRITERIA, Scores
from moderate_cli.scoring.coinciding import coinciding
from moderate_cli.scoring.criteria import score_rows
from moderate_cli.scoring.prototypes import clusters_of
from moderate_cli.store.feature_store import FeatureStore, identity_of
from moderate_cli.store.recorded import recorded_of

# Changed when a result is computed in another way under the same name: older ones are not used.
REVISION = b"overlap"


def score(
    store: FeatureStore,
    *,
    criterion: str = "center",
    center: str = "mean",
    metric: str = "euclidean",
    seed: int = 0,
) -> Scores:
    """Score each image of a feature set; by default by the distance to its class center.

    Parameters
    ----------
    store
        From `moderate_cli.embed`.
    criterion, center, metric, seed
        As in `moderate_cli.score_features`.

    Returns
    -------
    Scores
        NaN for unreadable images.
    """
    found = LabeledFeatures.of(store)
    return found.score(criterion=criterion, center=center, metric=metric, seed=seed)


def _nothing() -> None:
    pass


def _none_recorded() -> None:
    return None


@dataclass(frozen=True)
class LabeledFeatures:
    """Features, and the class of each row.

    Attributes
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    labels
        int64 (n,).
    readable
        bool (n,); False for rows without features, which are NaN.
    classes, paths
        Class names by index, and path of each image; empty for plain arrays.
    folder
        Folder of cached results; None: no cache.
    identity
        `identity_of(folder)` when the features were read.
    key
        `Manifest.identity` and `REVISION`, to which results are bound.
    check
        Raises an error if features changed since they were written; called before a result is
        computed for the cache.
    labeling
        Prefix of the names of results, if clusters replace the classes.
    correcting
        The same, if labels are corrected.
    recorded
        Returns the scores of the training of the network of these features, if it recorded them.
    """

    features: Features
    labels: npt.NDArray[np.int64]
    readable: Mask
    classes: Sequence[str] = ()
    paths: Sequence[str] = ()
    folder: Path | None = None
    identity: tuple[int, int] = (0, 0)
    key: bytes = b""
    check: Callable[[], None] = _nothing
    labeling: str = ""
    correcting: str = ""
    recorded: Callable[[], Mapping[str, Doubles] | None] = _none_recorded

    @classmethod
    def of(cls, store: FeatureStore) -> LabeledFeatures:
        """Return the features and labels of a feature set."""
        return cls(
            store.features,
            store.labels,
            store.readable,
            store.manifest.classes,
            store.paths,
            store.folder,
            store.identity,
            store.manifest.identity + REVISION,
            store.check_features,
            recorded=partial(recorded_of, store),
        )

    @classmethod
    def corrected(
        cls, store: FeatureStore, labels: npt.NDArray[np.int64], left_out: Mask, key: bytes
    ) -> LabeledFeatures:
        """Return the features of a feature set with corrected labels.

        Parameters
        ----------
        store
            The feature set.
        labels, left_out
            int64 (n,), the class of each image, and bool (n,), the images to leave out.
        key
            Digest of these. Only the results of the last corrections are kept.
        """
        found = cls.of(store)
        return replace(
            found,
            labels=labels,
            readable=found.readable & ~left_out,
            key=found.key + key,
            correcting="corrected-",
            recorded=partial(recorded_of, store, labels),
        )

    def class_name(self, label: int) -> str:
        """Return the name of a class; its index if classes have no names."""
        return self.classes[label] if self.classes else str(label)

    def score(
        self,
        *,
        criterion: str = "center",
        center: str = "mean",
        metric: str = "euclidean",
        seed: int = 0,
    ) -> Scores:
        """Score each image; NaN for unreadable ones. Parameters as of `score`."""
        check_choice("criterion", criterion, CRITERIA)
        check_seed(seed)
        entry = CRITERIA[criterion]
        used = [] if criterion == "center" else [criterion]
        used += [center, metric] if entry.centered else []
        used += [str(seed)] if entry.seeded else []
        values = self._kept(
            "scores-" + "-".join(used),
            lambda: score_rows(
                self.features,
                self.labels,
                np.flatnonzero(self.readable),
                criterion,
                center,
                metric,
                seed,
                self.recorded,
            ),
            self._of_images,
        )
        return Scores(values, self.labels, self.classes, self.paths, criterion)

    def suspects(self, *, on_progress: Callable[[int, int], None] | None = None) -> Suspects:
        """Estimate the probability that each label is wrong, by `find_suspects`."""

        def compute() -> Doubles:
            found = find_suspects(
                self.features, self.labels, readable=self.readable, on_progress=on_progress
            )
            facts = np.broadcast_to(
                [[found.accuracy], [found.hardly_known]], (2, len(found.probability))
            )
            return np.stack([found.probability, found.looks_like, *facts])

        return _suspects_of(self._kept("suspects", compute, self._are_suspects))

    def known_suspects(self) -> Suspects | None:
        """Return cached suspects; None if they were not searched for."""
        kept = self._read("suspects", self._are_suspects)
        return None if kept is None else _suspects_of(kept)

    def coinciding(self) -> Doubles:
        """Count the images with the same features, by `moderate_cli.scoring.coinciding`."""
        groups = len(classes_in(self.labels)) + 1
        return self._kept(
            "coinciding",
            lambda: coinciding(self.features, self.labels, self.readable),
            lambda found: found.shape == (groups,),
        )

    def clustered(self, clusters: int, *, seed: int = 0) -> LabeledFeatures:
        """Replace classes by clusters of the features, from spherical k-means.

        Raises
        ------
        ArgumentError
            If there are fewer images than clusters.
        """
        images = int(np.count_nonzero(self.readable))
        if clusters > images:
            raise ArgumentError(
                f"labels: {clusters} clusters are more than {images} images; use fewer"
            )
        name = f"kmeans-{clusters}-{seed}"

        def compute() -> Doubles:
            found = np.full(len(self.labels), np.nan)
            rows = np.flatnonzero(self.readable)
            found[rows] = clusters_of(self.features, rows, clusters, seed)
            return found

        def usable(found: Doubles) -> bool:
            return self._of_images(found) and bool(np.isin(found[self.readable], every).all())

        every = np.arange(clusters)
        labels = np.nan_to_num(self._kept(name, compute, usable)).astype(np.int64)
        classes = [f"cluster {number}" for number in range(clusters)]
        return replace(
            self, labels=labels, classes=classes, labeling=f"{name}-", recorded=_none_recorded
        )

    def _are_suspects(self, found: Doubles) -> bool:
        return (
            found.shape == (4, len(self.labels))
            and self._of_images(found[0])
            and bool(np.isin(found[1], self.labels).all())
        )

    def _of_images(self, values: Doubles) -> bool:
        return np.array_equal(~np.isnan(values), self.readable)

    def _kept(
        self, name: str, compute: Callable[[], Doubles], usable: Callable[[Doubles], bool]
    ) -> Doubles:
        """Read a cached result, or compute it and cache it."""
        if self.folder is None:
            return compute()
        kept = self._read(name, usable)
        if kept is not None:
            return kept
        file = self._file(self.folder, name)
        self.check()
        values = compute()
        # So does one that cannot be written.
        content = io.BytesIO()
        np.save(content, values, allow_pickle=False)
        with contextlib.suppress(OSError, OutputError), new_file(file) as opened:
            opened.write(sealed(content.getvalue(), self.key))
            # The temporary is in the folder, and is removed with it if the folder is replaced.
            if not self._in_place():
                raise OutputError(f"{self.folder}: another process has replaced it")
        return values

    def _read(self, name: str, usable: Callable[[Doubles], bool]) -> Doubles | None:
        """Read a cached result, if there is one."""
        if self.folder is None:
            return None
        # A file that is missing or damaged only costs time.
        with contextlib.suppress(OSError, ValueError):
            file = self._file(self.folder, name)
            kept: Doubles = read_sealed(read_regular(file), self.key).copy()
            if kept.dtype == np.float64 and usable(kept) and self._in_place():
                return kept
        return None

    def _file(self, folder: Path, name: str) -> Path:
        return folder / f"{self.labeling}{self.correcting}{name}.npy"

    def _in_place(self) -> bool:
        """Whether the folder is still that of the features."""
        return self.folder is not None and identity_of(self.folder) == self.identity


def _suspects_of(kept: Doubles) -> Suspects:
    probability, looks_like, accuracy, hardly_known = kept
    return Suspects(
        probability, looks_like.astype(np.int64), float(accuracy[0]), bool(hardly_known[0])
    )
