"""The evaluations that a report shows: results of each, and its title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moderate_cli.evaluation import FULL, Comparison
from moderate_cli.evaluation.ledger import EVALUATIONS, ledgers
from moderate_cli.evaluation.recipe import described
from moderate_cli.selection import Choice

WORDS = {"probe": "linear probe"}


def evaluations_in(folder: Path | None) -> dict[str, Comparison]:
    """Summarize each evaluation whose results are in a feature set's folder, by its title.

    One that was stopped before it had judged a strategy is left out.
    """
    if folder is None:
        return {}
    found, titles = {}, Counter[str]()
    for context, ledger in ledgers(folder / EVALUATIONS):
        if any(cell.strategy != FULL for cell in ledger.results):
            title = _title(context)
            titles[title] += 1  # two test sets have the same title
            number = f" ({titles[title]})" if titles[title] > 1 else ""
            held_out = context.get("test") is None
            found[f"{title}{number}"] = Comparison(ledger.results, Choice(ratio=1), held_out)
    return found


def _title(context: Mapping[str, Any]) -> str:
    """Name the network, the images that it is judged on, and other settings.

    >>> _title({"with": "probe", "test": None, "scope": "class", "center": "mean"})
    'linear probe, on held-out images; scope class, center mean'
    """
    rest = dict(context)
    rest.pop("data", None)  # sums of files
    trained, test = rest.pop("with", None), rest.pop("test", None)
    network = WORDS.get(trained, trained) if isinstance(trained, str) else described(trained)
    judge = f"{network}, on {'held-out images' if test is None else 'a test set'}"
    others = ", ".join(f"{name} {value}" for name, value in rest.items() if value is not None)
    return "; ".join(filter(None, [judge, others]))
