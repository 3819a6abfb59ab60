"""Keywords of the public functions -> the records of the library."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from inspect import Parameter, signature
from typing import Any, Unpack, cast

import numpy as np

from moderate_cli.embedding import EmbedOptions, FeatureKeywords
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.networks.table import AUTO
from moderate_cli.scoring import Scores
from moderate_cli.selection import Choice, ChoiceKeywords
from moderate_cli.store import FeatureStore
from moderate_cli.text import clipped, resembling


class SelectKeywords(ChoiceKeywords, FeatureKeywords, total=False):
    """Options of `select`, apart from its inputs."""


def inputs_of(
    data: Data | FeatureStore | None = None,
    *,
    of: Callable[..., Any] | None = None,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    scores: Array | Scores | None = None,
    **embedding: Unpack[FeatureKeywords],
) -> Inputs:
    """Return the inputs that a user names, as arguments of the function `of`.

    Raises
    ------
    ArgumentError
        If they cannot go together, or an option is unknown or out of range.
    """
    if of is not None:
        check_keywords(of, embedding, FeatureKeywords)
    single = isinstance(features, (str, os.PathLike, np.ndarray))
    several = (cast(Array, features),) if single else tuple(cast(Sequence[Array], features))
    if isinstance(data, FeatureStore) or (data is None and (several or scores is not None)):
        for name in embedding:  # nothing is embedded
            raise OptionError("{} has no effect without a dataset to embed", name)
    named = embedding.pop("backbone", AUTO)
    backbones = (named,) if isinstance(named, str) else tuple(named)
    options = EmbedOptions(**cast(Any, {**embedding, "backbone": backbones[0]}))
    return Inputs(data, several, labels, scores, backbones, options)


def check_keywords(function: Callable[..., Any], given: Collection[str], known: type) -> None:
    """Refuse keywords that a function does not take.

    Parameters
    ----------
    function
        As the user calls it.
    given
        The names that its parameters do not have.
    known
        TypedDict of the keywords that it takes besides its parameters.

    Raises
    ------
    ArgumentError
        With similar names.
    """
    names, called = list(known.__annotations__), function.__name__
    wrong = next((name for name in given if name not in names), None)
    if wrong is None:
        return
    own = [one.name for one in signature(function).parameters.values() if one.kind is KEYWORD]
    near = resembling(wrong, [*own, *names])
    advice = f"help(moderate_cli.{called}) lists its options"
    if near:
        advice = f"did you mean {' or '.join(near)}?"
    elif called == "select" and wrong in ELSEWHERE:
        advice = f"use {ELSEWHERE[wrong]}()"
    raise ArgumentError(f"{called}() takes no {clipped(wrong)}; {advice}")


KEYWORD = Parameter.KEYWORD_ONLY
# Options of `moderate select` -> the functions in their place.
ELSEWHERE = {
    **dict.fromkeys(("copy_to", "link"), "export"),
    "output": "write_index",
    "manifest": "write_manifest",
}


def split(options: SelectKeywords) -> tuple[Choice, FeatureKeywords]:
    """Separate how to choose from how to embed."""
    names = {field.name for field in fields(Choice)}
    choice = {name: value for name, value in options.items() if name in names}
    embedding = {name: value for name, value in options.items() if name not in names}
    return Choice(**cast(Any, choice)), cast(FeatureKeywords, embedding)
