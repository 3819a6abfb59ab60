"""The evaluations that a report shows: results of each, and its title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from moderate_cli.dataset import Dataset
from moderate_cli.evaluation import FULL, Comparison
from moderate_cli.evaluation.estimates import Line
from moderate_cli.evaluation.ledger import ledgers
from moderate_cli.evaluation.recipe import described
from moderate_cli.reporting.wording import shown
from moderate_cli.selection import Choice, exact, written
from moderate_cli.store.layout import EVALUATIONS

WORDS = {"probe": "linear probe"}
SHARED = ("scope", "criterion", "center", "metric", "seed")  # options of all selections of one


class Evaluation(NamedTuple):
    """An evaluation whose results are kept.

    Attributes
    ----------
    title
        Names the network, the images that it is judged on, and other settings.
    judge
        The network.
    comparison
        The results.
    settings
        Options that all selections share: scope, criterion, center, metric.
    """

    title: str
    judge: str
    comparison: Comparison
    settings: Mapping[str, Any]

    def line_of(self, choice: Choice) -> Line | None:
        """Return the results of a selection, if it was evaluated."""
        plain = Choice(ratio=1)
        unlike = any(
            getattr(choice, name) != getattr(plain, name)
            for name in ("dedup", "balance", "min_per_class")
        )
        if choice.ratio is None or unlike or not self._shares_settings(choice):
            return None
        dropped = choice.dropped
        wanted = (
            choice.strategy,
            written(choice.ratio),
            "" if dropped is None else dropped if dropped == "auto" else written(dropped),
        )
        for line in self.comparison.lines:
            cell = line.cell
            if (cell.strategy, cell.ratio, cell.drop_suspects) == wanted:
                same = choice.strategy != "moderate" or exact(cell.quantile) == exact(
                    choice.quantile
                )
                if same:
                    return line
        return None

    def _shares_settings(self, choice: Choice) -> bool:
        names = ("scope", "center", "metric", "criterion")
        return all(getattr(choice, name) == self.settings.get(name) for name in names)


def evaluations_in(folder: Path | None, dataset: Dataset | None = None) -> list[Evaluation]:
    """Summarize each evaluation whose results are in a feature set's folder, the latest first.

    One that was stopped before it had judged a strategy is left out, and one of other labels than
    the dataset has: corrected ones, or those before corrections.
    """
    if folder is None:
        return []
    found, titles = [], Counter[str]()
    labels = "" if dataset is None else dataset.corrections_key
    for context, ledger in ledgers(folder / EVALUATIONS):
        if context.get("corrected", "") != labels:
            continue
        if any(cell.strategy != FULL for cell in ledger.results):
            title = _title(context, ledger.test)
            titles[title] += 1  # two test sets may have the same title
            number = f" ({titles[title]})" if titles[title] > 1 else ""
            held_out = context.get("test") is None
            comparison = Comparison(ledger.results, Choice(ratio=1), held_out)
            found.append(Evaluation(f"{title}{number}", _judge(context), comparison, context))
    return found[::-1]


def _judge(context: Mapping[str, Any]) -> str:
    trained = context.get("with")
    return WORDS.get(trained, trained) if isinstance(trained, str) else described(trained)


def _title(context: Mapping[str, Any], test: str = "") -> str:
    """Name the network, the images that it is judged on, and options that are not the default.

    >>> _title({"with": "probe", "test": None, "scope": "class", "center": "median"})
    'linear probe, on held-out images; center median'
    """
    named = f"the test set {shown(test)}" if test else "a test set"
    where = "held-out images" if context.get("test") is None else named
    plain = Choice(ratio=1)
    others = [
        f"{name} {context[name]}"
        for name in SHARED
        if context.get(name) not in (None, getattr(plain, name))
    ]
    return "; ".join(filter(None, [f"{_judge(context)}, on {where}", ", ".join(others)]))
