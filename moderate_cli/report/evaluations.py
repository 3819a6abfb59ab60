"""What evaluations of a feature set found, and what each is to be called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moderate_cli.evaluation.ledger import ledgers
from moderate_cli.evaluation.summary import Line, summarize

WORDS = {"probe": "a linear head on the features"}


def evaluations_in(folder: Path | None) -> dict[str, list[Line]]:
    """Summarize each evaluation that a feature set's folder keeps the results of."""
    if folder is None:
        return {}
    return {
        _title(context): summarize(ledger.results)
        for context, ledger in ledgers(folder / "evaluations.jsonl")
        if ledger.results
    }


def _title(context: Mapping[str, Any]) -> str:
    """Say what was trained, and what else the results depend on.

    >>> _title({"with": "probe", "test": None, "scope": None, "center": "mean"})
    'Trained: a linear head on the features; judged on held-out images; center mean'
    """
    rest = dict(context)
    rest.pop("data", None)  # sums of files
    trained, test = rest.pop("with", None), rest.pop("test", None)
    if isinstance(trained, Mapping):
        what = ", ".join(f"{name} {value}" for name, value in trained.items())
    else:
        what = WORDS.get(str(trained), str(trained))
    judged = "held-out images" if test is None else "a test set"
    others = [f"{name} {value}" for name, value in rest.items() if value is not None]
    return "; ".join([f"Trained: {what}", f"judged on {judged}", ", ".join(others)])
