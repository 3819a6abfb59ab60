"""Histogram of scores, as counts and as bars of text."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Counts, Doubles, Rows, Values

EIGHTHS = " ▏▎▍▌▋▊▉█"  # steps of an eighth of a character
ASCII = " #"  # where the terminal's encoding has no blocks


class Histogram(NamedTuple):
    """Counts of values between edges.

    Attributes
    ----------
    edges
        float64 (b + 1,), ascending, whole multiples of a step of 1, 2 or 5 times a power of ten.
    counts
        int64 (b,), values from an edge up to the next, that one excluded.
    digits
        Decimals needed to tell neighboring edges apart.
    """

    edges: Doubles
    counts: Counts
    digits: int


def histogram(values: Values, bins: int) -> Histogram:
    """Count values (n,), finite and at least one, in at most `bins` bins (two or more).

    >>> found = histogram(np.array([0.1, 0.3, 0.3, 1.3]), 8)
    >>> found.edges.tolist(), found.counts.tolist(), found.digits
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4], [1, 2, 0, 0, 0, 0, 1], 1)
    """
    low, high = float(values.min()), float(values.max())
    # A range within rounding error is widened, so that its edges differ.
    span = max(high - low, 1e-9 * max(abs(low), abs(high), 1e-3))
    exponent = math.floor(math.log10(span / bins))
    for factor, power in ((1, 0), (2, 0), (5, 0), (1, 1), (2, 1), (5, 1)):
        digits = max(0, -(exponent + power))
        step = factor * 10.0 ** (exponent + power)
        first, last = math.floor(low / step), math.floor(high / step)
        if last - first < bins:
            break
    edges = np.round(np.arange(first, last + 2) * step, digits)
    counts = np.bincount(places(values, edges), minlength=last - first + 1)
    return Histogram(edges, counts, digits)


def places(values: Values, edges: Doubles) -> Rows:
    """Return the bin of each value: int64 (n,).

    >>> places(np.array([0.1, 0.3, 0.9]), np.array([0.0, 0.3, 0.6])).tolist()
    [0, 1, 1]
    """
    return (np.searchsorted(edges, values, side="right") - 1).clip(0, len(edges) - 2)


def bars(values: Values, width: int, *, rows: int = 20, blocks: str = EIGHTHS) -> str:
    """Draw the distribution of values in at most `width` columns, a line per bin.

    Each line has the lower edge of its bin, the count and a bar; the last line has the median and
    the quartiles.

    >>> print(bars(np.array([0.0, 1.0, 1.0, 2.0]), 24, rows=3, blocks=ASCII), end="")
    from  images
       0       1  #####
       1       2  ##########
       2       1  #####
    4 images, median 1, half of them from 0.75 to 1.25
    """
    found = histogram(values, rows)
    edges = [f"{edge:.{found.digits}f}" for edge in found.edges[:-1].tolist()]
    most = int(found.counts.max())
    left, right = max(4, *map(len, edges)), max(6, len(str(most)))
    room = max(1, width - left - right - 4)
    lines = [f"{'from':>{left}}  {'images':>{right}}"]
    for edge, count in zip(edges, found.counts.tolist(), strict=True):
        lines.append(f"{edge:>{left}}  {count:>{right}}  {_bar(count / most, room, blocks)}")
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    lines.append(
        f"{len(values)} images, median {middle:.4g}, half of them from {low:.4g} to {high:.4g}"
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _bar(share: float, room: int, blocks: str) -> str:
    """Draw a bar over a share of `room` characters; any share above zero is visible."""
    parts = len(blocks) - 1
    length = math.floor(share * room * parts + 0.5)
    if share > 0:
        length = max(1, length)
    return blocks[-1] * (length // parts) + (blocks[length % parts] if length % parts else "")
