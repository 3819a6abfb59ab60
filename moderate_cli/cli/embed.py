"""`moderate embed`: features of a dataset."""

from __future__ import annotations

from typing import Any

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import check_backbones, features_of, images_of
from moderate_cli.embedding.estimate import Estimate, estimate


@click.command()
@options.data_required
@options.option(
    "-n", "--dry-run", is_flag=True, help="Show what it would take, from a sample; write nothing."
)
@options.embedding
@options.configuration
def command(data: str, dry_run: bool, **embedding: Any) -> None:
    """Write the features of a dataset's images beside it.

    DATA is a folder with one sub-folder a class. Its features go to DATA.moderate, one folder for
    each backbone and precision; a run that was interrupted is gone on with, and only files that
    changed are embedded again.
    """
    if dry_run:
        _estimate(data, **embedding)
        return
    for store in features_of(data, **embedding)[1]:
        count, dim = store.features.shape
        console.note(f"{count} images, {dim} features each, in {store.folder}")


def _estimate(
    data: str, *, backbones: tuple[str, ...], on_error: str, verbose: bool, **embedding: Any
) -> None:
    check_backbones(backbones, embedding["weights"])
    dataset = images_of(data)
    for backbone in backbones:
        found = estimate(dataset, backbone, **embedding)
        console.write(_text(found).encode(errors="surrogateescape"))


def _text(found: Estimate) -> str:
    facts = {"images": str(found.images), "to embed": str(found.pending)}
    if found.pending:
        facts["rate"] = f"{found.rate:.0f} images/s, measured on {found.sample}"
        facts["time"] = console.duration(found.seconds)
    facts["feature set"] = str(found.folder)
    facts["size"] = f"{console.size(found.size)}, of {console.size(found.free)} free"
    return console.facts(facts)
