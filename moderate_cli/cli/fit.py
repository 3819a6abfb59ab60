"""`moderate fit`: train a network on a dataset."""

from __future__ import annotations

from typing import Any

import click

from moderate_cli.api.fit import estimate_fit, fit
from moderate_cli.cli import console, declaring, options
from moderate_cli.cli.listening import Console
from moderate_cli.cli.values import Choice, Real, Whole
from moderate_cli.fitting.estimate import FitEstimate
from moderate_cli.fitting.options import FITTABLE, MOST_FOLDS
from moderate_cli.fitting.resolving import said
from moderate_cli.networks.table import AUTO, SMALL_NETWORKS, WHERE
from moderate_cli.text import counted

STILL = "commands keep using those"


@click.command(
    cls=declaring.Sectioned,
    common=("network", "epochs", "minutes", "device", "dry-run"),
    examples=(
        ("moderate fit data/train --dry-run", "estimate the time"),
        ("moderate fit data/train --minutes 30", "train for half an hour"),
    ),
)
@options.data_required
@declaring.option(
    "--network",
    type=Choice(FITTABLE, WHERE),
    metavar="NAME",
    default=AUTO,
    help=f"Network to train: {', '.join(SMALL_NETWORKS)} from scratch, or a backbone from its"
    " trained weights; auto takes a ResNet-9 for small pictures, else the default backbone.",
)
@declaring.option(
    "--folds",
    type=Whole(min=1, max=MOST_FOLDS),
    help="Train one network without each of so many parts of the images; 1 trains a single one."
    "  [default: 1 from scratch, 3 from trained weights]",
)
@declaring.option(
    "--epochs",
    type=Whole(min=1, max=10_000),
    help="How often each image is seen.  [default: by the number of images]",
)
@declaring.option(
    "--minutes",
    type=Real(min=0, min_open=True),
    help="Train only as many epochs as fit in this time.",
)
@declaring.option(
    "-n",
    "--dry-run",
    command_line_only=True,
    is_flag=True,
    help="Estimate the time from a sample; write nothing.",
)
@options.seed
@options.lists
@options.corrections
@options.store
@options.orientation
@options.max_pixels
@options.device
@options.configuration
@declaring.group(options.batch_size, options.workers, options.runtime, section="Default features")
def command(data: str, labels_file: str | None, dry_run: bool, **how: Any) -> None:
    """Train a network on a dataset, for features of its own.

    The network is kept in DATA.moderate, and serves as --backbone fitted: the paper's features.
    Other commands use it by themselves where it knows the classes better than the default backbone.
    A new run continues an interrupted one.
    """
    listener, how = Console(), how | {"labels": labels_file}
    if dry_run:
        console.write(_text(estimate_fit(data, listener=listener, **how)).encode())
        return
    found = fit(data, listener=listener, **how)
    listener.notice(said("fitted", found))
    console.note(f"Fitted {found.network} to {counted(found.images, 'image')} -> {found.weights}")
    if found.serves:
        console.hint("commands now use its features, with or without --backbone fitted")
    elif found.pretrained is not None and found.accuracy > found.pretrained:
        console.hint(f"not measurably better than the default features; {STILL}")
    else:
        console.hint(f"the default features serve better here; {STILL}")


def _text(found: FitEstimate) -> str:
    facts = {
        "network": f"{found.network}, {found.size} pixels a side",
        "images": str(found.images),
        "folds": str(found.folds),
        "epochs": str(found.epochs),
    }
    if found.rate:
        facts["rate"] = f"{found.rate:.0f} images/s"
    facts["time"] = "none, the network is up to date"
    if found.seconds:
        features = f", with {console.duration(found.embedding)} for the default features"
        facts["time"] = console.duration(found.seconds) + (features if found.embedding else "")
    return console.facts(facts)
