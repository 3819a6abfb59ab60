"""Say where features coincide, so that nothing can be told by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moderate_cli.cli import console
from moderate_cli.results import LabeledFeatures

CAUSES = "are they blank, or copies of one? Open a few"


def warn_of_sameness(sets: Sequence[LabeledFeatures]) -> None:
    """Warn of sets, or of classes in them, whose images have (nearly) the same features."""
    for line in dict.fromkeys(line for features in sets for line in _lines(features)):
        console.note(line)


def _lines(features: LabeledFeatures) -> list[str]:
    *of_classes, of_all = features.coinciding().astype(int).tolist()
    if of_all:
        images = int(np.count_nonzero(features.readable))
        return [f"{_number(of_all, images)} have the same features; {CAUSES}"]
    labels = np.unique(features.labels).tolist()
    same = {label: count for label, count in zip(labels, of_classes, strict=True) if count}
    if len(same) > 1:
        names = console.some([_name(features, label) for label in same])
        what = f"all or nearly all images of {len(same)} classes have the same features"
        return [f"{what}: {names}; {CAUSES}"]
    return [
        f"{_number(count, _size(features, label))} of class {_name(features, label)} have the same"
        f" features; {CAUSES}"
        for label, count in same.items()
    ]


def _size(features: LabeledFeatures, label: int) -> int:
    return int(np.count_nonzero(features.readable & (features.labels == label)))


def _number(count: int, images: int) -> str:
    return f"all {images} images" if count == images else f"{count} of {images} images"


def _name(features: LabeledFeatures, label: int) -> str:
    return features.classes[label] if features.classes else str(label)
