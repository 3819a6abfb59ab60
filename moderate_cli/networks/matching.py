"""Weights in a file -> the weights of one network, or a refusal in a line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import torch

from moderate_cli.errors import WeightsError
from moderate_cli.networks.checkpoints import StateDict
from moderate_cli.text import clipped

COUNTER = "num_batches_tracked"
MATCH = "pass the matching --backbone"


class Layout(NamedTuple):
    """The weights that a network needs, and their names in files.

    Attributes
    ----------
    body
        Name -> tensor of that shape and type; without the head.
    convert
        Renames the weights of other layouts.
    ends
        Ends of the name of one layer in all layouts.
    """

    body: Mapping[str, torch.Tensor]
    convert: Callable[[StateDict], StateDict]
    ends: tuple[str, ...]


def network_in(state: StateDict, layout: Layout, source: str) -> tuple[StateDict, str]:
    """Find the network in the state dict of a larger module, such as one for training.

    Returns the entries under the network's name, and that name with a dot; the whole state dict and
    "" if it is the network's own, or has no network inside.

    Raises
    ------
    WeightsError
        If there are two.
    """
    body = {key for key in layout.body if not key.endswith(COUNTER)}

    def under(prefix: str) -> dict[str, torch.Tensor]:
        own = {key: state[key] for key in state if key.startswith(prefix)}
        return {key.removeprefix(prefix): value for key, value in own.items()}

    known = {key.removesuffix(end) for end in layout.ends for key in state if key.endswith(end)}
    found = [
        prefix
        for prefix in sorted(known)
        if (not prefix or prefix.endswith(".")) and body <= layout.convert(under(prefix)).keys()
    ]
    if len(found) > 1 and "" not in found:
        one, other = (clipped(prefix.removesuffix(".")) for prefix in found[:2])
        raise WeightsError(f"{source}: contains two networks, {one} and {other}; save one of them")
    prefix = found[0] if found else _shared(state)
    return under(prefix), prefix


def _shared(names: Collection[str]) -> str:
    """Return the common prefix of all names, up to a dot."""
    first, *_, last = sorted([*names, *names])
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return first[: "".join(char for char, _ in same).rfind(".") + 1]


def weights_of(
    body: Mapping[str, torch.Tensor],
    state: StateDict,
    name: str,
    source: str,
    others: tuple[str, ...] = (),
) -> dict[str, torch.Tensor]:
    """Return the weights of a network, converted to its types.

    Parameters
    ----------
    body, state
        As in `Layout`; the weights of the file, with the same names.
    name, source
        The network, and the file.
    others
        Beginnings of the names that may be in the file besides.

    Raises
    ------
    WeightsError
        If one is missing, unknown or does not fit.
    """
    loaded, refusal = {}, f"{source}: does not fit {name}"
    for key in sorted(body):
        if key in state:
            loaded[key] = alike(state[key], body[key], key, refusal, MATCH)
        # Old checkpoints lack this counter, which inference does not use.
        elif not key.endswith(COUNTER):
            raise WeightsError(f"{refusal} (missing {key}); {MATCH}")
    unknown = sorted(key for key in state if key not in body and not key.startswith(others))
    if unknown:
        raise WeightsError(f"{refusal} (unknown {clipped(unknown[0])}); {MATCH}")
    return loaded


def alike(
    value: torch.Tensor, wanted: torch.Tensor, key: str, refusal: str, advice: str
) -> torch.Tensor:
    """Convert a tensor to the type of the network's; refuse one that does not fit.

    Raises
    ------
    WeightsError
        With the beginning `refusal`, and the end `advice`.
    """
    found = ""
    if value.shape != wanted.shape:
        found = f"{clipped(str(tuple(value.shape)))}, not {tuple(wanted.shape)}"
    elif value.is_floating_point() != wanted.is_floating_point():
        found = f"{value.dtype}, not {wanted.dtype}"
    if found:
        raise WeightsError(f"{refusal} ({key} is {found}); {advice}")
    try:
        converted = value.detach().to(wanted.dtype)
    except RuntimeError:  # some of the smallest types cannot be converted
        raise WeightsError(f"{refusal} ({key} is {value.dtype}); save it in float32") from None
    if not bool(torch.isfinite(converted).all()):
        raise WeightsError(f"{refusal} ({key} is not finite); use an earlier checkpoint")
    return converted
