"""Inputs as the words of a command that names them."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import fields

from moderate_cli.dataset.named import READING, NamedDataset
from moderate_cli.inputs.request import Inputs, name_of
from moderate_cli.networks.table import AUTO
from moderate_cli.store import FeatureStore


def spelled(inputs: Inputs, *, without: Collection[str] = ()) -> list[str] | None:
    """Return the words on the command line; None for arrays in memory and feature sets.

    Parameters
    ----------
    inputs
        Named by a user.
    without
        Options of embedding to leave out.

    Examples
    --------
    >>> spelled(Inputs("data/train", backbones=("resnet50",)))
    ['data/train', '--backbone', 'resnet50']
    """
    arrays = [("features", one) for one in inputs.features]
    arrays += [(name, getattr(inputs, name)) for name in ("labels", "scores")]
    words: list[str] = []
    if isinstance(inputs.data, FeatureStore):
        return None
    if inputs.data is not None:
        name = name_of(inputs.data)
        words += [f"./{name}" if name.startswith("-") else name]
    if isinstance(inputs.data, NamedDataset):
        arrays += [(name, getattr(inputs.data, name)) for name in READING]
    for name, value in arrays:
        if isinstance(value, (str, os.PathLike)):
            words += [_option(name), os.fspath(value)]
        elif value is not None:
            return None
    for backbone in inputs.backbones:
        words += ["--backbone", backbone] if backbone != AUTO else []
    for field in fields(inputs.embedding):
        value = getattr(inputs.embedding, field.name)
        if value != field.default and field.name not in ("backbone", *without):
            words += [_option(field.name), os.fspath(value) if _is_path(value) else str(value)]
    return words


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_path(value: object) -> bool:
    return isinstance(value, os.PathLike)
