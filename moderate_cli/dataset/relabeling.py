"""Rows of a list whose classes were corrected, on their way to a copy of the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Relabeled(NamedTuple):
    """Position of the column of classes, and the new class of some rows, by number."""

    column: int
    classes: Mapping[int, str]


UNCHANGED = Relabeled(0, {})
