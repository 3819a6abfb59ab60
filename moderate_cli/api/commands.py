"""The commands that make a selection and its page again, to be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace

from moderate_cli.api.evaluate import COMPARED, RATIOS
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.request import name_of
from moderate_cli.inputs.spelling import spelled as spelled_inputs
from moderate_cli.reporting.subject import Made
from moderate_cli.selection import Choice, written
from moderate_cli.selection.conflicts import compatible
from moderate_cli.selection.spelling import spelled
from moderate_cli.text import printable

CORRECTED = "corrected.csv"  # as `review.js` names it
# Options that `moderate evaluate` has, too.
SHARED = ("--drop-suspects", "--scope", "--criterion", "--center", "--metric", "--seed")


def made_by(
    inputs: Inputs,
    choice: Choice,
    output: str | os.PathLike[str],
    method: str = "pca",
    keep_from: str | os.PathLike[str] | Sequence[str] | None = None,
) -> Made:
    """Return the commands; they have the options that differ from the default.

    Parameters
    ----------
    inputs, choice
        The dataset, and how to select from it.
    output
        The page.
    method
        Of the map.
    keep_from
        As in `select`; no command has paths that are not in a file.
    """
    assert inputs.data is not None
    named = spelled_inputs(inputs) or [name_of(inputs.data)]
    renamed = spelled_inputs(replace(inputs, labels=None)) or [name_of(inputs.data)]
    chosen = spelled(choice)
    comparable = inputs.clusters is None and len(inputs.backbones) == 1
    kept = list[str]()
    if isinstance(keep_from, (str, os.PathLike)):
        kept = ["--keep-from", os.fspath(keep_from)]
    page = ["-o", os.fspath(output)] + (["--map", method] if method != "pca" else [])
    evaluate = _line("evaluate", *_compared(choice, chosen), *named) if comparable else ""
    if keep_from is not None and not kept:
        return Made(evaluate=evaluate, date=_today())
    return Made(
        _line("report", *chosen, *named, *kept, *page),
        _line("select", *chosen, *named, *kept, "-o", "kept.txt"),
        evaluate,
        _line("select", *chosen, *renamed, *kept, "-o", "kept.txt", "--labels", CORRECTED)
        if inputs.clusters is None
        else "",
        _today(),
    )


def _line(*words: str) -> str:
    return printable(shlex.join(["moderate", *words]))


def _compared(choice: Choice, chosen: list[str]) -> list[str]:
    """Return options of `evaluate` that compare the selection with random selection."""
    ratio = None if choice.ratio is None else written(choice.ratio)
    ratios = [] if ratio in (None, *RATIOS) else ["--ratio", ",".join(sorted({*RATIOS, ratio}))]
    quantile = written(choice.quantile)
    window = f":{quantile}" if choice.strategy == "moderate" and quantile != "0.5" else ""
    name = f"{choice.strategy}{window}"
    usual = [one for one in COMPARED if compatible(one, choice.scope, choice.criterion)]
    found = ratios + ([] if name in usual else ["--strategy", ",".join([*usual, name])])
    options = dict(zip(chosen[::2], chosen[1::2], strict=True))
    return found + [word for flag in SHARED if flag in options for word in (flag, options[flag])]


def _today() -> str:
    """Return the day as of `SOURCE_DATE_EPOCH`, for pages that can be made again, or today's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = int(epoch) if epoch.isdecimal() and len(epoch) < 12 else time.time()
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
