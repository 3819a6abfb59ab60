"""The hint after a selection, where another setting is known to suit better."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from moderate_cli.arrays import classes_in
from moderate_cli.choosing import Selection
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.spelling import spelled as spelled_inputs
from moderate_cli.literals import StrategyName
from moderate_cli.selection import RECOMMENDED, Choice
from moderate_cli.selection.spelling import spelled

WINDOW = ("scope", "criterion", "center", "metric", "quantile")  # who sets these wants the window


def advised(
    found: Sequence[Selection],
    amounts: Sequence[str],
    inputs: Inputs,
    others: Mapping[str, str | bool | None],
    left_alone: Callable[[str], bool],
) -> str:
    """Return the hint, with the command to use; "" if there is none.

    Parameters
    ----------
    found
        The selections.
    amounts
        Their ratios, as the user wrote them; or their number of images.
    inputs
        What they were made from, as the user named it.
    others
        Values of all other options, by name; true for a flag.
    left_alone
        Whether nobody set a parameter of the command.
    """
    choice = found[0].choice
    if all(len(one.rows) == one.prepared.images for one in found):
        return ""  # there was nothing to choose
    strategy: StrategyName = RECOMMENDED
    why = "the default is the paper's window; to train on the result, use"
    if choice.strategy == RECOMMENDED and any(
        notice.kind == "hardly known" for notice in found[0].notices
    ):
        strategy, why = "random", "where features hardly know the classes, random is safer"
    elif not (left_alone("strategy") and _compares_classes(found[0]) and _is_plain(choice)):
        return ""
    words = spelled_inputs(inputs)
    if words is None:
        return f"{why}: --strategy {strategy}"
    told = spelled(replace(choice, strategy=strategy))
    if choice.ratio is not None:
        told[told.index("--ratio") + 1] = ",".join(amounts)
    for option, value in others.items():
        if value is not None and value is not False:
            words += [option] if value is True else [option, value]
    return f"{why}: {shlex.join(['moderate', 'select', *told, *words])}"


def _is_plain(choice: Choice) -> bool:
    """Whether nobody chose a window of his own, such as that of the paper."""
    plain = Choice(ratio=1)
    asked = replace(choice, quantile=choice.window_quantile)
    return all(getattr(asked, name) == getattr(plain, name) for name in WINDOW)


def _compares_classes(selection: Selection) -> bool:
    """Whether the recommended strategy can be used: it needs one feature set, and classes."""
    source = selection.source
    if len(source.sets) != 1 or source.sets[0].labeling:  # clusters in place of classes
        return False
    return len(classes_in(source.labels[source.readable])) > 1
