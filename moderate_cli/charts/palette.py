"""Twenty colors that can be told apart, on white and on black."""

from __future__ import annotations

# The first six are those of Okabe and Ito (2008). The others were chosen so that any two of the
# twenty are at least 0.13 apart in OKLab, and have a contrast of 2 with white, 2.6 with #14171B.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#AA00FF", "#FF00DD",
    "#BB0088", "#33CC00", "#775533", "#3333FF", "#FF0066", "#7777FF", "#007700", "#BB0022",
    "#EE88FF", "#7744AA", "#998800", "#99BB99",
)  # fmt: skip
OTHER = "#8A8F98"  # of all classes beyond them
