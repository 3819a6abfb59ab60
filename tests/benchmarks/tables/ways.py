"""The ways to select that the tables compare."""

from __future__ import annotations

from typing import Any

from moderate_cli.selection import RECOMMENDED

# What all others are compared with.
RANDOM, RANDOM_IN_CLASS = "random", "random in each class"
ORACLE = "oracle"  # knows which images are spoiled
# Keywords of `Choice`, without the number to keep and the seed.
WAYS: dict[str, dict[str, Any]] = {
    RANDOM: {"strategy": "random", "scope": "global"},
    RANDOM_IN_CLASS: {"strategy": "random", "scope": "class"},
    RECOMMENDED: {"strategy": RECOMMENDED, "scope": "class"},
    "moderate": {"strategy": "moderate", "scope": "global"},
    "moderate in each class": {"strategy": "moderate", "scope": "class"},
    "matching": {"strategy": "matching", "scope": "class"},
    "matching-unscaled": {"strategy": "matching-unscaled", "scope": "class"},
    "random without suspects": {"strategy": "random", "scope": "class", "drop_suspects": "auto"},
    "easy by el2n": {"strategy": "easy", "criterion": "el2n", "scope": "class"},
    "hard by el2n": {"strategy": "hard", "criterion": "el2n", "scope": "class"},
    "stratified by aum": {"strategy": "stratified", "criterion": "aum", "scope": "class"},
    ORACLE: {"strategy": "random", "scope": "class"},
}
