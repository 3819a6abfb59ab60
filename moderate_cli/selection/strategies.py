"""Strategies: ways to select images. Choices, help and docs are read from their entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Points, Rows, Values
from moderate_cli.literals import StrategyName
from moderate_cli.selection.coverage import facility_location
from moderate_cli.selection.farthest import k_center
from moderate_cli.selection.following import Picked
from moderate_cli.selection.graph import graph
from moderate_cli.selection.matching import adaptive, herding, matching, matching_unscaled
from moderate_cli.selection.sampling import random, stratified, two_ends
from moderate_cli.selection.scaled import Scaled


class Window(NamedTuple):
    """Keeps a window of ranks around a quantile of the scores; None for `Choice.quantile`."""

    quantile: Fraction | None


class Order(NamedTuple):
    """Keeps the first k images in an order: f(scores, k, rng) -> all positions, int64 (n,).

    `by_rank` says that it depends only on the ranks of scores, not on the order of images.
    """

    function: Callable[[Values, int, np.random.Generator], Rows]
    by_rank: bool = False


class Pick(NamedTuple):
    """Picks k images of one class by their features: f(points, k, scores) -> int64 (k,).

    It needs memory for all pairs of images.
    """

    function: Callable[[Points, int, Values], Rows]


class Search(NamedTuple):
    """Picks k images of one class without that memory: f(points, k) -> int64 (k,)."""

    function: Callable[[Scaled, int], Rows]


class Follow(NamedTuple):
    """Picks k images of one class that follow a target: f(points, k, left) -> `Picked`.

    `left` is that of the part of the class before, if the class is divided.
    """

    function: Callable[[Scaled, int, Doubles | None], Picked]


@dataclass(frozen=True, eq=False)
class Strategy:
    """One way to select images.

    Attributes
    ----------
    name
        Its name, as `--strategy` takes it.
    keeps
        The images that it keeps, in a few words, for docs.
    for_, not_for
        When to use it, and when not; `not_for` may be "".
    function
        A `Window`, an `Order`, a `Pick`, a `Search` or a `Follow`.
    source
        Its paper; "" if there is none.
    criterion
        The criterion of its scores, unless the user chooses one.
    adapts
        Whether it selects from the surest images of each class only, by
        `moderate_cli.selection.adaptive`.
    """

    name: str
    keeps: str
    for_: str
    not_for: str
    function: Window | Order | Pick | Search | Follow
    source: str = ""
    criterion: str = "center"
    adapts: bool = False

    @property
    def within_classes(self) -> bool:
        """Whether it compares the features of a class, so that its scope is always "class"."""
        return isinstance(self.function, (Pick, Search, Follow))


_ENTRIES = (  # the recommended one first
    Strategy(
        "adaptive",
        "a varied sample of the surest images of each class; the fewer are kept and the harder the"
        " classes are to tell apart, the surer",
        "any data: the recommended strategy",
        "features that do not know the classes",
        Follow(adaptive),
        "this project",
        criterion="margin",
        adapts=True,
    ),
    Strategy(
        "moderate",
        "a window of scores around the median, or another `--quantile`",
        "the paper's method; small ratios with some wrong labels",
        "clean labels, where random selection does better; many wrong labels",
        Window(None),
        "Moderate Coreset: Xia et al., ICLR 2023",
    ),
    Strategy(
        "easy",
        "the lowest scores",
        "very few images, or a third of the labels wrong",
        "clean labels: it keeps images that are much alike",
        Window(Fraction(0)),
    ),
    Strategy(
        "hard",
        "the highest scores",
        "keeping most images of clean data",
        "wrong labels and ruined images: it collects them",
        Window(Fraction(1)),
    ),
    Strategy(
        "two-ends",
        "both ends of the scores",
        "comparison: some code that is named moderate does this",
        "anything else",
        Order(two_ends, by_rank=True),
    ),
    Strategy(
        "random",
        "a random sample, drawn per class unless the scope is global",
        "any ratio; the baseline for all others",
        "",
        Order(random),
    ),
    Strategy(
        "stratified",
        "an even sample across the range of scores, excluding the hardest 10 %",
        "small ratios of data with some noise",
        "scores that say little about the images",
        Order(stratified, by_rank=True),
        "CCS: Zheng et al., ICLR 2023",
    ),
    Strategy(
        "matching",
        "images that follow the direction of the geometric median of their class",
        "wrong labels, which it nearly avoids; few images per class",
        "many images of easy classes with clean labels: it leaves out the unusual ones",
        Follow(matching),
        "GM Matching: Acharya et al., arXiv 2406.17188, its released code",
    ),
    Strategy(
        "matching-unscaled",
        "images whose mean follows the geometric median of their class",
        "clean labels; representative and diverse",
        "wrong labels, of which it keeps its share; classes of several kinds",
        Follow(matching_unscaled),
        "GM Matching: Acharya et al., arXiv 2406.17188, Algorithm 1",
    ),
    Strategy(
        "herding",
        "images whose mean is, at each step, nearest to the mean of their class",
        "clean labels, if images are to represent their class as it is",
        "wrong labels: they pull the mean",
        Follow(herding),
        "Welling, ICML 2009; in the form of iCaRL: Rebuffi et al., CVPR 2017",
    ),
    Strategy(
        "k-center",
        "images that minimize the largest distance from any image to the nearest kept one",
        "covering rare looks in clean data",
        "noise: it takes outliers first",
        Search(k_center),
        "Sener and Savarese, ICLR 2018",
    ),
    Strategy(
        "facility-location",
        "images that maximize the similarity of each image to the most similar kept one",
        "representative sets of data with many near duplicates",
        "noise that forms a cluster of its own",
        Pick(lambda points, k, _: facility_location(points, k)),
        "Nemhauser et al., 1978",
    ),
    Strategy(
        "graph",
        "high scores in dense regions first, then elsewhere",
        "a balance of difficulty and variety",
        "few images per class",
        Pick(graph),
        "D2 Pruning: Maharana et al., ICLR 2024",
    ),
)
STRATEGIES = {entry.name: entry for entry in _ENTRIES}

RECOMMENDED: StrategyName = "adaptive"  # the one name that examples, hints and comparisons give
