"""Names that options take, as types: editors complete them, and type checkers find wrong ones.

The tables that know what a name does have the same names; a test compares them.
"""

from __future__ import annotations

from typing import Literal

StrategyName = Literal[
    "adaptive",
    "moderate",
    "easy",
    "hard",
    "two-ends",
    "random",
    "stratified",
    "matching",
    "matching-unscaled",
    "herding",
    "k-center",
    "facility-location",
    "graph",
]
Criterion = Literal[
    "center",
    "margin",
    "neighbors",
    "el2n",
    "grand",
    "forgetting",
    "aum",
    "prototypes",
    "fitted-el2n",
    "fitted-grand",
    "fitted-forgetting",
    "fitted-aum",
]
Center = Literal["mean", "median", "geometric-median"]
Metric = Literal["euclidean", "cosine"]
Scope = Literal["global", "class"]
Balance = Literal["proportional", "sqrt", "uniform"]
Judge = Literal["probe", "train", "fine-tune"]
Link = Literal["none", "hard", "symbolic"]
Attack = Literal["pgd", "fgsm"]

Precision = Literal["float32", "bfloat16", "float16"]
Dtype = Literal["float16", "float32"]
Decode = Literal["full", "reduced", "gpu"]
Check = Literal["stat", "mtime", "content"]
Orientation = Literal["ignore", "exif"]
Runtime = Literal["auto", "torch", "openvino"]
OnError = Literal["fail", "skip"]
