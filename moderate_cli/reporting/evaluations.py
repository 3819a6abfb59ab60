"""What evaluations of a feature set found, and what each is to be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moderate_cli.evaluation import FULL
from moderate_cli.evaluation.ledger import ledgers
from moderate_cli.evaluation.recipe import described
from moderate_cli.evaluation.summary import Line, summarize

WORDS = {"probe": "a linear head on the features"}


def evaluations_in(folder: Path | None) -> dict[str, list[Line]]:
    """Summarize each evaluation that a feature set's folder keeps the results of.

    One that was stopped before a strategy was judged has nothing to show.
    """
    if folder is None:
        return {}
    found, titles = {}, Counter[str]()
    for context, ledger in ledgers(folder / "evaluations.jsonl"):
        if any(cell.strategy != FULL for cell in ledger.results):
            title = _title(context)
            titles[title] += 1  # two test sets are called the same
            number = f" ({titles[title]})" if titles[title] > 1 else ""
            found[f"{title}{number}"] = summarize(ledger.results)
    return found


def _title(context: Mapping[str, Any]) -> str:
    """Say what was trained, and what else the results depend on.

    >>> _title({"with": "probe", "test": None, "scope": None, "center": "mean"})
    'Trained: a linear head on the features; judged on held-out images; center mean'
    """
    rest = dict(context)
    rest.pop("data", None)  # sums of files
    trained, test = rest.pop("with", None), rest.pop("test", None)
    what = WORDS.get(trained, trained) if isinstance(trained, str) else described(trained)
    judged = "held-out images" if test is None else "a test set"
    others = ", ".join(f"{name} {value}" for name, value in rest.items() if value is not None)
    return "; ".join(filter(None, [f"Trained: {what}", f"judged on {judged}", others]))
