"""`moderate backbones`: the networks that compute features."""

from __future__ import annotations

import sys

import click

from moderate_cli.cli import console, declaring
from moderate_cli.networks.listing import Listed, list_backbones
from moderate_cli.networks.names import models_of
from moderate_cli.networks.table import EXTRAS, FORMS, LIBRARIES
from moderate_cli.text import aligned

HEADER = ("backbone", "dim", "params", "weights", "cached")


@click.command(
    cls=declaring.Sectioned,
    examples=(
        ("moderate backbones", "the networks that need no other library"),
        ("moderate backbones dinov2", "all with this in their names"),
    ),
)
@click.argument("pattern", required=False)
def command(pattern: str | None) -> None:
    """List the networks that compute features, for --backbone.

    PATTERN is a part of their names, such as dinov2, or a pattern such as 'timm:vit_*_384'. It
    also finds models of timm and open_clip, if they are installed, with weights that these
    libraries know. The number of parameters includes the classifier. See `moderate help backbones`.
    """
    listing = list_backbones(pattern, _tell)
    console.write(aligned(HEADER, [_cells(one) for one in listing.found]).encode())
    if listing.more:
        console.hint(f"{listing.more} more match; use a longer PATTERN")
    for library in LIBRARIES:
        form = f"--backbone {FORMS[library]}"
        if library in listing.missing:
            console.hint(f"{form} needs: pip install 'moderate-cli[{EXTRAS[library]}]'")
        elif pattern is None:
            others = len(models_of(library))
            console.hint(f"{form} takes {others} more: `moderate backbones {library}:PATTERN`")


def _tell(library: str) -> None:
    if sys.stderr.isatty():
        console.note(f"loading {library}")


def _cells(one: Listed) -> tuple[str, ...]:
    return (
        one.name,
        "" if one.dim is None else str(one.dim),
        "" if one.millions is None else f"{one.millions:.1f} M",
        one.source,
        "yes" if one.kept else "no",
    )
