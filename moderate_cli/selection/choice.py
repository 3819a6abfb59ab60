"""The options of a selection, as one frozen record with its own rules."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal, TypedDict

from moderate_cli.errors import ArgumentError, OptionError, check_choice, check_seed, check_whole
from moderate_cli.literals import Balance, Center, Criterion, Metric, Scope, StrategyName
from moderate_cli.scoring.centers import CENTERS, METRICS
from moderate_cli.selection.conflicts import conflicts, without_effect
from moderate_cli.selection.counts import BALANCES, exact
from moderate_cli.selection.strategies import STRATEGIES, Strategy
from moderate_cli.selection.windows import MEDIAN

SCOPES = ("global", "class")
WHERE = "`moderate help strategies` lists all"

Number = float | str | Fraction
Dropped = Fraction | Literal["auto"] | None


class ChoiceKeywords(TypedDict, total=False):
    """The fields of `Choice`, as keywords of functions."""

    ratio: Number | None
    count: int | None
    strategy: StrategyName
    criterion: Criterion | None
    center: Center
    metric: Metric
    scope: Scope
    balance: Balance
    quantile: Number
    min_per_class: int
    dedup: float | None
    drop_suspects: Number | None
    seed: int


@dataclass(frozen=True)
class Choice:
    """How many images to keep, and how to choose them.

    Attributes
    ----------
    ratio, count
        Amount to keep, one of the two: a fraction in (0, 1], or a number of images, at least 1.
    strategy
        A key of `STRATEGIES`.
    criterion
        A key of `moderate_cli.scoring.CRITERIA`; None for the strategy's own.
    center, metric
        Class center, and distance to it: keys of `CENTERS` and `METRICS`.
    scope
        "class": a share per class. "global": select from all images together, as the paper does.
    balance
        A key of `BALANCES`: how to divide the budget among classes.
    quantile
        Position of the moderate window in [0, 1]: 0 nearest to the class centers, 1 farthest.
    min_per_class
        Minimum number of images kept per class; 0 for no minimum.
    dedup
        Drop near duplicates first: cosine similarity to an earlier image of at least this, in
        (0, 1]. None keeps them.
    drop_suspects
        Drop likely label errors first: "auto" (probability above 0.5) or a fraction in (0, 1).
        None or "nothing" keeps them. The ratio is of the remaining images.
    seed
        Random seed.

    Raises
    ------
    ArgumentError
        If a value is out of range, or two exclude each other.

    Examples
    --------
    >>> Choice(ratio="1/3").within_classes
    True
    >>> Choice(ratio=0.3, strategy="matching", drop_suspects="0.10").dropped
    Fraction(1, 10)
    """

    ratio: Number | None = None
    count: int | None = None
    strategy: StrategyName = "moderate"
    criterion: Criterion | None = None
    center: Center = "mean"
    metric: Metric = "euclidean"
    scope: Scope = "class"
    balance: Balance = "proportional"
    quantile: Number = MEDIAN
    min_per_class: int = 1
    dedup: float | None = None
    drop_suspects: Number | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("strategy", self.strategy, STRATEGIES, WHERE)
        if self.criterion is not None:
            from moderate_cli.scoring import CRITERIA  # which take long to load

            check_choice("criterion", self.criterion, CRITERIA)
        check_choice("center", self.center, CENTERS)
        check_choice("metric", self.metric, METRICS)
        check_choice("scope", self.scope, SCOPES)
        check_choice("balance", self.balance, BALANCES)
        if not 0 <= self.window_quantile <= 1:
            raise ArgumentError(f"quantile: {self.quantile} is not in [0, 1]")
        check_whole("min_per_class", self.min_per_class)
        if self.min_per_class < 0:
            raise ArgumentError(f"min_per_class: {self.min_per_class} is negative")
        check_seed(self.seed)
        if self.dedup is not None and not 0 < self.dedup <= 1:
            raise ArgumentError(f"dedup: {self.dedup} is not in (0, 1]")
        self._check_suspects()
        self._check_amount()
        for conflict in conflicts(asdict(self)):
            if conflict.fatal:
                one, other = (self._given(name) for name in (conflict.one, conflict.other))
                raise OptionError("use {} or {}, not both", one, other)

    def check_effects(self) -> None:
        """Refuse a class center or a metric that changes nothing.

        Raises
        ------
        ArgumentError
            Naming the first of them, and the strategy or criterion that does not use it.
        """
        for conflict in without_effect(asdict(self)):
            one, other = (self._given(name) for name in (conflict.one, conflict.other))
            raise OptionError("use {} or {}, not both", one, other)

    @property
    def entry(self) -> Strategy:
        """The entry of the strategy."""
        return STRATEGIES[self.strategy]

    @property
    def window_quantile(self) -> Fraction:
        """The quantile, as an exact number."""
        return exact(self.quantile)

    @property
    def within_classes(self) -> bool:
        """Whether to select a share per class."""
        return self.scope == "class"

    @property
    def scored_by(self) -> str:
        """The criterion: `criterion`, or the strategy's own."""
        return self.criterion or self.entry.criterion

    @property
    def dropped(self) -> Dropped:
        """The suspects to drop first; None for none."""
        if self.drop_suspects in (None, "nothing"):
            return None
        return "auto" if self.drop_suspects == "auto" else exact(self.drop_suspects)

    def _check_suspects(self) -> None:
        if self.drop_suspects in (None, "auto", "nothing"):
            return
        if not 0 < exact(self.drop_suspects) < 1:
            raise ArgumentError(f"drop_suspects: {self.drop_suspects} is not in (0, 1)")

    def _check_amount(self) -> None:
        if self.ratio is None and self.count is None:
            raise OptionError("missing {} or {}", "ratio", "count")
        if self.ratio is not None and not 0 < exact(self.ratio) <= 1:
            raise ArgumentError(f"ratio: {self.ratio} is not in (0, 1]; it is the fraction kept")
        if self.count is not None:
            check_whole("count", self.count)
        if self.count is not None and self.count < 1:
            raise ArgumentError(f"count: {self.count} is not positive")

    def _given(self, name: str) -> tuple[str, object]:
        return (name, getattr(self, name))
