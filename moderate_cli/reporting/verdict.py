"""The verdict of a report: whether the selection is better than a random one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from moderate_cli.evaluation import FULL
from moderate_cli.evaluation.estimates import Line
from moderate_cli.reporting.evaluations import Evaluation
from moderate_cli.selection import RECOMMENDED, Choice


class Verdict(NamedTuple):
    """A verdict.

    Attributes
    ----------
    tone
        Whether it is good news.
    title
        The verdict, without a full stop.
    detail
        The figures behind it, as sentences; "" if there are none.
    evaluation
        The evaluation that it comes from; None without one.
    measured
        Whether the selection itself was evaluated.
    """

    tone: Literal["good", "bad", "unknown"]
    title: str
    detail: str
    evaluation: Evaluation | None = None
    measured: bool = True


def verdict(
    choice: Choice, evaluations: Sequence[Evaluation], *, filled_up: bool = False
) -> Verdict:
    """Judge a selection by the latest evaluation of the same options.

    One that is filled up, after the images of an earlier selection, has not been evaluated.
    """
    if filled_up and evaluations:
        detail = f"An evaluation selects all images anew. {_best(evaluations[0])}"
        title = "Not evaluated, because it keeps earlier images"
        return Verdict("unknown", title, detail.strip(), evaluations[0])
    for one in evaluations:
        line = one.line_of(choice)
        if line is not None:
            return _of_line(one, line)
    if not evaluations:
        better = f"The recommended strategy is `{RECOMMENDED}`."
        detail = "" if choice.strategy == RECOMMENDED else better
        title = "Not yet compared with random selection"
        return Verdict("unknown", title, detail, measured=False)
    latest = evaluations[0]
    detail = f"The latest evaluation has other selections. {_best(latest)}"
    title = "This selection was not evaluated"
    return Verdict("unknown", title, detail.strip(), latest, measured=False)


def _of_line(found: Evaluation, line: Line) -> Verdict:
    accuracy, gain = 100 * line.accuracy.mean, line.to_random
    where = "held-out images" if found.comparison.held_out else "the test images"
    detail = f"A {found.judge} trained on it is right for {accuracy:.1f} % of {where}"
    if line.cell.is_baseline:
        detail = f"{detail}{_full(found)}. {_best(found, line.cell.ratio)}"
        return Verdict("unknown", "This is random selection", detail.strip(), found)
    if math.isnan(gain.mean):
        return Verdict("unknown", "Not compared with random selection", f"{detail}.", found)
    points = f"{100 * gain.mean:+.1f}"
    if math.isnan(gain.half):
        seeds = "too few seeds to be sure"
        detail = f"{detail}, {points} points to random selection ({seeds}){_full(found)}."
        return Verdict(
            "unknown", "Compared with random selection only once or twice", detail, found
        )
    low, high = gain.mean - gain.half, gain.mean + gain.half
    interval = f"{points} ± {100 * gain.half:.1f} points"
    detail = f"{detail}, {interval} to random selection of as many{_full(found)}."
    if low > 0:
        return Verdict("good", "Better than random selection", detail, found)
    better = _best(found, line.cell.ratio)
    if high < 0:
        return Verdict("bad", "Worse than random selection", f"{detail} {better}".strip(), found)
    return Verdict(
        "unknown", "Not measurably better than random", f"{detail} {better}".strip(), found
    )


def _full(found: Evaluation) -> str:
    for line in found.comparison.lines:
        if line.cell.strategy == FULL and not line.cell.drop_suspects:
            return f"; trained on all images, {100 * line.accuracy.mean:.1f} %"
    return ""


def _best(found: Evaluation, ratio: str | None = None) -> str:
    """Name the selection that is furthest above random for sure, at a ratio or at any."""

    def surely(line: Line) -> float:
        return line.to_random.mean - line.to_random.half

    lines = [
        line
        for line in found.comparison.lines
        if not line.cell.is_baseline
        and ratio in (None, line.cell.ratio)
        and surely(line) > 0  # not NaN either
    ]
    if not lines:
        return ""
    best = max(lines, key=surely)
    dropped = best.cell.drop_suspects
    options = f"--strategy {best.cell.name}{f' --drop-suspects {dropped}' if dropped else ''}"
    gain = f"{100 * best.to_random.mean:+.1f} ± {100 * best.to_random.half:.1f} points"
    return f"Best: `{options}` at {best.cell.ratio}, {gain}."
