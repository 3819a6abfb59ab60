"""Leave out, score, select: all that a Choice asks for, from one source."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Labels
from moderate_cli.choosing.earlier import Earlier
from moderate_cli.choosing.preparing import Prepared, Preparer, tell_of_features
from moderate_cli.choosing.selection import Selection
from moderate_cli.errors import OptionError
from moderate_cli.inputs import Inputs, Source
from moderate_cli.label_errors.suspects import Suspects, check_suspectable
from moderate_cli.listening import PATIENCE, SILENT, Listener
from moderate_cli.scoring import Scores, check_compared
from moderate_cli.selection import Choice, kept_count
from moderate_cli.selection.choice import Dropped
from moderate_cli.selection.selecting import choose_from


class Chooser:
    """Makes several selections from one source; computes shared results, such as suspects, once.

    Parameters
    ----------
    source
        Images to select from.
    listener
        Hears progress and notices.
    earlier
        Images of an earlier selection, to keep in any case.
    """

    def __init__(
        self, source: Source, listener: Listener = SILENT, earlier: Earlier | None = None
    ) -> None:
        self.source, self._listener, self._earlier = source, listener, earlier
        self._preparers: dict[tuple[float | None, int], Preparer] = {}
        self._scores: dict[tuple[str, str, str, int], Scores] = {}
        self._noise_rates: dict[tuple[float | None, int, Dropped], float] = {}

    def choose(self, choice: Choice) -> Selection:
        """Select images.

        Raises
        ------
        ArgumentError
            If there are too few images or classes, or more earlier ones than are to be kept.
        """
        prepared, scores = self.prepare(choice), self._score(choice)
        fixed, earlier = None, self._earlier
        if earlier is not None:
            fixed = earlier.mask
            earlier.check(choice, kept_count(prepared.images, choice.ratio, choice.count))
        values = np.where(prepared.eligible, scores.values, np.nan)
        features = self.source.features if choice.entry.within_classes else None
        rate = self._noise_rate(choice) if choice.entry.adapts else 0.0
        with self._listener.progress("select", delay=PATIENCE):
            mask = choose_from(choice, values, scores.labels, features, rate, fixed)
        return Selection(self.source, choice, scores, prepared, mask, earlier=earlier)

    def prepare(self, choice: Choice) -> Prepared:
        """Drop suspects and near duplicates, as asked for."""
        return self._preparer(choice).prepare(choice.dropped)

    def suspects(self, choice: Choice) -> Suspects:
        """Return the suspects among all images, whether or not the choice drops them."""
        return self._preparer(choice).suspects

    def _noise_rate(self, choice: Choice) -> float:
        """Return the estimated share of wrong labels among the images to select from."""
        key = (choice.dedup, choice.min_per_class, choice.dropped)
        if key not in self._noise_rates:
            found = self.suspects(choice)
            if found.hardly_known and choice.dropped != "auto":  # which says so, too
                tell_of_features(found, self.source, self._listener)
            probability = found.probability[self.prepare(choice).eligible]
            self._noise_rates[key] = float(np.mean(probability)) if len(probability) else 0.0
        return self._noise_rates[key]

    def _preparer(self, choice: Choice) -> Preparer:
        key = (choice.dedup, choice.min_per_class)
        if key not in self._preparers:
            self._preparers[key] = Preparer(self.source, *key, self._listener, self._earlier)
        return self._preparers[key]

    def _score(self, choice: Choice) -> Scores:
        key = (choice.scored_by, choice.center, choice.metric, choice.seed)
        if key not in self._scores:
            with self._listener.progress("score", delay=PATIENCE):
                self._scores[key] = self.source.score(*key)
        return self._scores[key]


def check(choice: Choice, inputs: Inputs) -> None:
    """Refuse a choice that is impossible for this kind of inputs.

    Raises
    ------
    ArgumentError
        Naming the options.
    """
    choice.check_effects()
    inputs.check_criterion(choice.scored_by)
    strategy = ("strategy", choice.strategy)
    if choice.entry.within_classes:
        inputs.check_single(strategy)
    if choice.dedup is not None:
        inputs.check_single("dedup")
    if choice.dropped is not None:
        inputs.check_single("drop_suspects")
    if inputs.clusters is not None and choice.dropped is not None:
        raise OptionError("use {} or {}, not both", "drop_suspects", ("labels", inputs.labels))


def check_labels(choice: Choice, labels: Labels, *, clustered: bool = False) -> None:
    """Refuse a choice that is impossible for these labels, before any image is read.

    Parameters
    ----------
    choice
        Selection asked for.
    labels
        (n,), the class of each image.
    clustered
        Whether clusters replace these classes.

    Raises
    ------
    ArgumentError
        If there are too few images or classes.
    """
    if not clustered:
        _check_compared(choice, labels)
    kept_count(len(labels), choice.ratio, choice.count)
    if choice.dropped is not None:
        check_suspectable(labels)


def _check_compared(choice: Choice, labels: Labels) -> None:
    """Refuse a single class, before any image is read, if classes are compared."""
    if choice.entry.adapts and np.all(labels == labels[:1]):
        raise OptionError(
            "{} compares classes, and there is only one; choose another, or pass {}",
            ("strategy", choice.strategy),
            ("labels", "kmeans:K"),
        )
    check_compared(choice.scored_by, labels)
