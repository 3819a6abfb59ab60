"""Values of options that need parsing: parts, labels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import click

from moderate_cli.cli.values import WHOLE
from moderate_cli.errors import ArgumentError
from moderate_cli.inputs.request import clusters_in
from moderate_cli.text import clipped, resembling


def labels(text: str) -> str:
    """Read the name of a file, or "kmeans:K"."""
    meant = resembling(text.partition(":")[0], ["kmeans"]) and not os.path.lexists(text)
    if text.startswith("kmeans:") or meant:
        with as_bad_parameter("labels"):
            clusters_in(text)
    return text


def part(text: str) -> tuple[int, int]:
    """Read the number of a part, from 1, and the number of parts."""
    number, slash, of = text.partition("/")
    numbers = slash and WHOLE.fullmatch(number) and WHOLE.fullmatch(of)
    if not (numbers and 1 <= int(number) <= int(of)):
        raise click.BadParameter(f"{clipped(text)!r} is not a valid part; use I/N, e.g. 3/8.")
    return int(number), int(of)


@contextlib.contextmanager
def as_bad_parameter(name: str) -> Iterator[None]:
    """Turn an error of the library, which names its argument, into one that names the option."""
    try:
        yield
    except ArgumentError as error:
        raise click.BadParameter(str(error).removeprefix(f"{name}: ")) from None
