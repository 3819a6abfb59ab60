"""The value of `--backbone`: a name of ours, or a model of another library."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from moderate_cli.cli.values import Choice
from moderate_cli.errors import ArgumentError
from moderate_cli.networks.names import models_of
from moderate_cli.networks.table import AUTO, BACKBONES, LIBRARIES, find_backbone


class BackboneName(Choice):
    """The name of a backbone, or auto."""

    def __init__(self) -> None:
        super().__init__([AUTO, *BACKBONES])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an unknown name."""
        if value != AUTO:
            try:
                find_backbone(value)
            except ArgumentError as error:
                self.fail(str(error).removeprefix("backbone: "), param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete names of ours, and of a library after its name and a colon."""
        library = incomplete.partition(":")[0]
        names = [*self.choices, *(f"{one}:" for one in LIBRARIES)]
        if library in LIBRARIES:
            names = [f"{library}:{model}" for model in models_of(library)]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
