"""`moderate embed`: features of a dataset."""

from __future__ import annotations

from typing import Any

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import features_of


@click.command()
@options.data_required
@options.embedding
@options.configuration
def command(data: str, **embedding: Any) -> None:
    """Write the features of a dataset's images beside it.

    DATA is a folder with one sub-folder a class. Its features go to DATA.moderate, one folder for
    each backbone and precision; a run that was interrupted is gone on with, and only files that
    changed are embedded again.
    """
    _, store = features_of(data, **embedding)
    count, dim = store.features.shape
    console.note(f"{count} images, {dim} features each, in {store.folder}")
