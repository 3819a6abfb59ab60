"""Outputs of a head -> p(class); functions for arrays of numpy or torch."""

from __future__ import annotations

from typing import Any


def logarithms_of(module: Any, outputs: Any, floor: float) -> Any:
    """Return log(1 + output / floor); outputs that are much below 0 count as less negative."""
    found = outputs.clip(min=-floor / 2)
    found /= floor
    return module.log1p(found)


def probabilities_of(module: Any, outputs: Any, floor: float, power: float) -> Any:
    """Return p(class), (b, c), proportional to (floor + output) ** power."""
    found = logarithms_of(module, outputs, floor)
    found *= power
    found -= module.amax(found, axis=1, keepdims=True)
    found = module.exp(found)
    found /= found.sum(axis=1, keepdims=True)
    return found
