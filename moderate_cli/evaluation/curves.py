"""Accuracy against ratio as a picture, one line a strategy."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence

from moderate_cli.errors import OutputError
from moderate_cli.evaluation import FULL
from moderate_cli.evaluation.summary import Line
from moderate_cli.files import new_file

SUFFIXES = (".png", ".svg")
# Colors that readers with any color vision tell apart (Okabe and Ito, 2008), and marks beside them.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p")


def check_drawable(destination: str | os.PathLike[str]) -> None:
    """Refuse a picture that could not be drawn, before there is anything to draw.

    Raises
    ------
    OutputError
        If matplotlib is missing.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise OutputError(f"{os.fspath(destination)}: matplotlib draws it; pip install matplotlib")


def draw_curves(destination: str | os.PathLike[str], lines: Sequence[Line]) -> None:
    """Write a .png or .svg picture of what `summarize` found.

    Whiskers are 95 % intervals over seeds; broken lines stand for suspects left out; the horizontal
    line is the full set.

    Raises
    ------
    OutputError
        If matplotlib is missing, or the file cannot be written.
    """
    check_drawable(destination)
    # It takes half a second to load.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    ways: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        ways.setdefault((line.cell.name, line.cell.drop_suspects), []).append(line)
    names = list(dict.fromkeys(name for name, _ in ways if name != FULL))
    for (name, dropped), points in ways.items():
        label = f"{name}, suspects dropped" if dropped else name
        style = "--" if dropped else "-"
        if name == FULL:
            height = 100 * points[0].accuracy.mean
            axes.axhline(height, color="0.5", linestyle=style, linewidth=1, label=label)
            continue
        points = sorted(points, key=lambda line: float(line.cell.ratio))
        number = names.index(name)
        halves = [line.accuracy.half for line in points]
        axes.errorbar(
            [float(line.cell.ratio) for line in points],
            [100 * line.accuracy.mean for line in points],
            yerr=[0 if math.isnan(half) else 100 * half for half in halves],
            color=COLORS[number % len(COLORS)],
            marker=MARKS[number % len(MARKS)],
            markersize=5,
            linestyle=style,
            linewidth=1.5,
            elinewidth=0.8,
            capsize=2,
            label=label,
        )
    axes.set_xlabel("fraction kept")
    axes.set_ylabel("accuracy, %")
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    kind = os.path.splitext(os.fspath(destination))[1].lower().lstrip(".")
    # No date and no random names, so that the same results make the same file.
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "moderate"}), new_file(destination) as file:
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)
