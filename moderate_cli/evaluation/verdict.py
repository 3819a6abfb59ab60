"""The verdict of an evaluation: which selection to take, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.estimates import Estimate, Line, differences, estimate
from moderate_cli.selection import RECOMMENDED, exact
from moderate_cli.words import try_other_features

NO_GAIN = Estimate(math.nan, math.nan)
NO_OTHER = "no other strategy is measurably better than it"


class Pick(NamedTuple):
    """The selection to take at one ratio.

    Attributes
    ----------
    line
        The selection.
    ahead
        Its accuracy minus that of `first`, on the same pools; NaN for that itself.
    first
        The line that it has to beat: the recommended selection, or random selection.
    gains
        Whether any selection is more accurate than random selection beyond the 95 % interval.
    """

    line: Line
    ahead: Estimate
    first: Line
    gains: bool


def picks(
    results: Mapping[Cell, Result],
    lines: Sequence[Line],
    paired: float,
    *,
    hardly_known: bool = False,
) -> Iterator[Pick]:
    """Pick a selection for each ratio, in the order of the lines.

    It is the recommended strategy, or random selection where that cannot be or features hardly know
    the classes, unless another one is more accurate beyond the 95 % interval of the difference.
    That is stricter than the one-standard-error rule (Breiman et al., Classification and Regression
    Trees, 1984, Section 3.4.3), because it must hold for the best of several.

    Parameters
    ----------
    results
        The accuracy of each selection, for each seed.
    lines
        Their means, as `summarize` returns them.
    paired
        As in `estimate`: the share of the variance of differences that comes with held-out images.
    hardly_known
        Whether the features hardly know the classes, and so cannot tell which images to keep.
    """
    values: dict[Cell, dict[int, float]] = {}
    for cell, result in results.items():
        values.setdefault(cell._replace(seed=0), {})[cell.seed] = result.accuracy

    def gain(line: Line, first: Line) -> Estimate:
        one, other = (values[each.cell._replace(seed=0)] for each in (line, first))
        seeds = [seed for seed in one if seed in other]  # an evaluation may have been stopped
        if not seeds:
            return NO_GAIN
        pairs = ([each[seed] for seed in seeds] for each in (one, other))
        return estimate(differences(*pairs), paired)

    for ratio in dict.fromkeys(line.cell.ratio for line in lines if line.cell.strategy != FULL):
        own = [line for line in lines if line.cell.ratio == ratio and line.cell.strategy != FULL]
        first = _first(own, ("random",) if hardly_known else (RECOMMENDED, "random"))
        ahead = {line: gain(line, first) for line in own}
        # A half that is NaN, of few seeds, is no evidence.
        better = [line for line in own if ahead[line].mean > ahead[line].half]
        taken = max(better, key=lambda line: ahead[line].mean, default=first)
        gains = any(line.to_random.mean > line.to_random.half for line in own)
        yield Pick(taken, NO_GAIN if taken is first else ahead[taken], first, gains)


def _first(lines: Sequence[Line], names: Sequence[str]) -> Line:
    """Return the first of these selections that there is, or else any."""
    for name in names:
        for line in lines:
            if line.cell.strategy == name and not line.cell.drop_suspects:
                return line
    return lines[0]


def say_picks(found: Sequence[Pick], accuracy: float = math.nan, *, fit: bool = False) -> str:
    """Say in a sentence what to take, by how much it is ahead, and how sure that is.

    The differences are in points of accuracy. If features hardly know the classes, `accuracy` is
    the share of images for which a linear probe on them is right, and `fit` whether `moderate fit`
    may help.
    """
    by_name: dict[str, list[Pick]] = {}
    for pick in found:
        by_name.setdefault(_named(pick.line.cell), []).append(pick)
    many = len(found) > 1
    takes = [
        name + (f" at {_and([pick.line.cell.ratio for pick in own])}" if len(by_name) > 1 else "")
        for name, own in by_name.items()
    ]
    took = f"take {', '.join(takes)}"
    parts, evidence = [took], _evidence(found)
    if not math.isnan(accuracy):
        only_random = [*by_name] == ["random"]
        parts.append(_hardly_known(accuracy, fit, only_random))
        evidence = "" if only_random else evidence
    elif _no_better_than_random(found):
        parts = ["no strategy is measurably better than random selection here", took]
        recommended = [*by_name] == [RECOMMENDED]
        if all(pick.line is pick.first for pick in found) and "random" not in by_name:
            parts[1] = f"take {'the recommended ' if recommended else ''}{takes[0]}"
    compared = [pick for pick in found if pick.line.cell.strategy != "random"]
    for name, field in (("random selection", "to_random"), ("all images", "to_full")):
        gains = [
            in_points(getattr(pick.line, field)) + (f" at {pick.line.cell.ratio}" if many else "")
            for pick in (compared if field == "to_random" else found)
            if not math.isnan(getattr(pick.line, field).mean)
        ]
        if gains:
            parts.append(f"against {name} {_and(gains)} points of accuracy")
    return "; ".join(filter(None, [*parts, evidence]))


def _hardly_known(accuracy: float, fit: bool, only_random: bool) -> str:
    head = f"a linear probe is right for only {100 * accuracy:.0f} % of the images"
    known = f"the features hardly know these classes ({head})"
    if not only_random:
        return known
    return (
        f"{known}, so they cannot tell which images are worth more; {try_other_features(fit=fit)}"
    )


def _no_better_than_random(found: Sequence[Pick]) -> bool:
    """Whether no selection of any ratio is, by seeds enough to tell."""
    return not any(pick.gains or math.isnan(pick.first.to_random.half) for pick in found)


def _evidence(found: Sequence[Pick]) -> str:
    """Say how sure the choice is, unless that was said first."""
    if any(math.isnan(pick.line.accuracy.half) for pick in found):
        return "too few seeds to be sure"
    beaten = [pick for pick in found if not math.isnan(pick.ahead.mean)]
    if beaten:
        by = ", ".join(in_points(pick.ahead) for pick in beaten)
        name = beaten[0].first.cell.name
        return f"ahead of {'the recommended ' * (name == RECOMMENDED)}{name} by {by}"
    if _no_better_than_random(found):
        return ""
    unsure = all(abs(line.to_random.mean) <= line.to_random.half for line in map(_line, found))
    if unsure and found[0].line.cell.strategy != "random":
        return f"the difference to random selection is not sure, and {NO_OTHER}"
    return NO_OTHER


def _line(pick: Pick) -> Line:
    return pick.line


def _named(cell: Cell) -> str:
    return f"{cell.name} without suspects" if cell.drop_suspects else cell.name


def in_points(found: Estimate) -> str:
    """Return a difference of accuracies in points, with its interval if it has one.

    >>> in_points(Estimate(0.152, 0.079)), in_points(Estimate(-0.01, math.nan))
    ('+15.2 ± 7.9', '-1.0')
    """
    half = "" if math.isnan(found.half) else f" ± {100 * found.half:.1f}"
    return f"{100 * found.mean:+.1f}{half}"


def _and(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def to_paste(found: Sequence[Pick]) -> Pick:
    """Return the pick whose command is shown: that of the middle ratio."""
    return sorted(found, key=lambda pick: exact(pick.line.cell.ratio))[(len(found) - 1) // 2]
