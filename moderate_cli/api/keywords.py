"""Keywords of the public functions -> the records of the library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Unpack, cast

import numpy as np

from moderate_cli.embedding import EmbedOptions, FeatureKeywords
from moderate_cli.errors import OptionError
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.networks.table import AUTO
from moderate_cli.scoring import Scores
from moderate_cli.selection import Choice, ChoiceKeywords
from moderate_cli.store import FeatureStore


class SelectKeywords(ChoiceKeywords, FeatureKeywords, total=False):
    """Options of `select`, apart from its inputs."""


def inputs_of(
    data: Data | FeatureStore | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    scores: Array | Scores | None = None,
    **embedding: Unpack[FeatureKeywords],
) -> Inputs:
    """Return the inputs that a user names.

    Raises
    ------
    ArgumentError
        If they cannot go together, or an option is out of range.
    """
    single = isinstance(features, (str, os.PathLike, np.ndarray))
    several = (cast(Array, features),) if single else tuple(cast(Sequence[Array], features))
    if isinstance(data, FeatureStore) or (data is None and (several or scores is not None)):
        for name in embedding:  # nothing is embedded
            raise OptionError("{} has no effect without a dataset to embed", name)
    named = embedding.pop("backbone", AUTO)
    backbones = (named,) if isinstance(named, str) else tuple(named)
    options = EmbedOptions(**cast(Any, {**embedding, "backbone": backbones[0]}))
    return Inputs(data, several, labels, scores, backbones, options)


def split(options: SelectKeywords) -> tuple[Choice, FeatureKeywords]:
    """Separate how to choose from how to embed."""
    names = {field.name for field in fields(Choice)}
    choice = {name: value for name, value in options.items() if name in names}
    embedding = {name: value for name, value in options.items() if name not in names}
    return Choice(**cast(Any, choice)), cast(FeatureKeywords, embedding)
