"""The selections that an evaluation compares, and the accuracy of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from moderate_cli.errors import ArgumentError, check_choice
from moderate_cli.selection import MEDIAN, STRATEGIES, Choice, exact, written
from moderate_cli.selection.choice import WHERE

FULL = "full set"
ALL_OF_IT = "1"


class Cell(NamedTuple):
    """One selection to judge.

    Attributes
    ----------
    strategy
        A key of `moderate_cli.selection.STRATEGIES`, or `FULL`.
    ratio
        Fraction kept of the pool, as `moderate_cli.selection.written` writes it.
    drop_suspects
        As in `Choice`: "auto", or a fraction as `written` writes it; "" for none.
    seed
        Random seed of the pool and of the selection.
    quantile
        Position of the window of the strategy "moderate"; written like the ratio.
    """

    strategy: str
    ratio: str
    drop_suspects: str
    seed: int
    quantile: str = "0.5"

    @property
    def name(self) -> str:
        """The strategy, with its quantile if that is not 0.5."""
        return self.strategy if self.quantile == "0.5" else f"{self.strategy}:{self.quantile}"

    @property
    def is_baseline(self) -> bool:
        """Whether other cells are compared with it: the full set, or random selection."""
        return self.strategy == FULL or (self.strategy == "random" and not self.drop_suspects)

    def choice(self, base: Choice) -> Choice:
        """Return the choice that selects it.

        Raises
        ------
        ArgumentError
            If the base has options that exclude its own.
        """
        return replace(
            base,
            ratio=self.ratio,
            count=None,
            strategy="random" if self.strategy == FULL else self.strategy,  # type: ignore[arg-type]
            quantile=self.quantile,
            drop_suspects=self.drop_suspects or None,
            seed=self.seed,
        )


class Result(NamedTuple):
    """The accuracy of one classifier.

    Attributes
    ----------
    images
        Number of training images.
    accuracy
        Share of the test images that it classifies correctly.
    worst_class
        The lowest accuracy of any class.
    """

    images: int
    accuracy: float
    worst_class: float


def strategy_in(text: str) -> tuple[str, str]:
    """Read the name of a strategy; "moderate:0.25" also sets the quantile of its window.

    Raises
    ------
    ArgumentError
        If it is unknown.

    Examples
    --------
    >>> strategy_in("moderate:0.25"), strategy_in("matching")
    (('moderate', '0.25'), ('matching', '0.5'))
    """
    name, _, quantile = text.strip().partition(":")
    if quantile and name != "moderate":
        name = text.strip()
    check_choice("strategy", name, STRATEGIES, WHERE)
    where = exact(quantile or MEDIAN)
    if not 0 <= where <= 1:
        raise ArgumentError(f"strategy: quantile {quantile} is not in [0, 1]")
    return name, written(where)


def cells_of(
    strategies: Sequence[tuple[str, str]],
    ratios: Sequence[str],
    drop_suspects: str,
    seeds: Sequence[int],
) -> list[Cell]:
    """List the cells to compare, seed by seed, always with random selection and the full set."""
    if ("random", "0.5") not in strategies:
        strategies = [*strategies, ("random", "0.5")]
    filters = ("", drop_suspects) if drop_suspects else ("",)
    return [
        cell
        for seed in seeds
        for dropped in filters
        for cell in (
            Cell(FULL, ALL_OF_IT, dropped, seed),
            *(
                Cell(name, ratio, dropped, seed, quantile)
                for ratio in ratios
                for name, quantile in strategies
            ),
        )
    ]
