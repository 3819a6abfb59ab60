"""`moderate embed`: features of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from moderate_cli.api.embed import estimate_each
from moderate_cli.api.keywords import inputs_of
from moderate_cli.cli import console, declaring, options, parsing, precedence
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.values import Choice, Real, Whole
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.estimate import Estimate
from moderate_cli.inputs.datasets import feature_sets_of
from moderate_cli.store import FeatureStore
from moderate_cli.text import counted

ENGINES = ("local", "ray")


@click.command(
    cls=declaring.Sectioned,
    common=("backbone", "weights", "store", "device", "dry-run"),
    examples=(
        ("moderate embed data/train --dry-run", "estimate the time"),
        ("moderate embed data/train --backbone resnet50", "another network"),
    ),
)
@options.data_required
@declaring.option(
    "-n",
    "--dry-run",
    command_line_only=True,
    is_flag=True,
    help="Estimate time and disk space from a sample; write nothing.",
)
@declaring.option(
    "--part",
    type=parsing.part,
    metavar="I/N",
    help="Embed only part I of N; other processes, on any machine, embed the others into the same"
    " store.",
)
@declaring.option(
    "--engine",
    type=Choice(ENGINES),
    metavar="NAME",
    default="local",
    help="Embed in this process (local), or on workers of a ray cluster.",
)
@declaring.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="Ray cluster to use.  [default: RAY_ADDRESS, or this machine]",
)
@declaring.option(
    "--gpus-per-worker",
    type=Real(min=0),
    metavar="G",
    help="GPUs per Ray worker; may be a fraction.  [default: 1 if there are any]",
)
@declaring.option(
    "--num-workers",
    type=Whole(min=1),
    metavar="N",
    help="Number of Ray workers, with -j processors each.  [default: as many as fit]",
)
@options.lists
@options.embedding
@options.configuration
def command(
    dry_run: bool,
    part: tuple[int, int] | None,
    engine: str,
    ray_address: str | None,
    gpus_per_worker: float | None,
    num_workers: int | None,
    verbose: bool,
    **source: Any,
) -> None:
    """Compute the features of a dataset and store them beside it.

    DATA is a folder with one sub-folder per class, tar files such as 'train-{000..146}.tar' or,
    with --store, the URL of a remote folder. The features are stored in DATA.moderate, in a folder
    for each backbone and precision. A new run continues an interrupted one, and embeds only new
    and changed files.
    """
    cluster = None
    if engine == "ray":
        precedence.refuse_beside("--engine ray", {"dry_run", "device"})
        cluster = Cluster(ray_address, gpus_per_worker, num_workers)
    else:
        precedence.refuse_without("--engine ray", {"ray_address", "gpus_per_worker", "num_workers"})
    inputs, listener = inputs_of(**inputs_from(**source)), Console(verbose=verbose)
    if dry_run:
        precedence.refuse_beside("--dry-run", {"part"})
        for found in estimate_each(inputs, listener):
            console.write(_text(found).encode(errors="surrogateescape"))
        return
    if part is not None and source["check"] == "content":
        raise click.UsageError("use --part or --check content, not both")
    _, stores = feature_sets_of(
        inputs, listener=listener, part=part, cluster=cluster, labeled=False
    )
    for store, embedded in zip(stores, _embedded(stores, listener.embedded), strict=True):
        count, dim = store.features.shape
        images = counted(count, "image")
        done = f"Embedded {images}" if embedded == count else f"Embedded {embedded} of {images}"
        done = done if embedded else f"Nothing to embed: features of {images} are up to date"
        console.note(f"{done}, {dim} features each -> {store.folder}")
    if part is not None and len(stores) < len(inputs.backbones):
        number, of = part
        console.note(f"Embedded part {number} of {of}")
        console.hint("the last part, or `moderate embed` without --part, completes the features")


def _embedded(stores: Sequence[FeatureStore], counts: Sequence[int]) -> Sequence[int]:
    """Return how many images of each set were embedded now, from the counts of the embeddings."""
    if len(counts) in (0, len(stores)):
        return counts or [0] * len(stores)
    return [len(store) for store in stores]  # which of several sets was up to date is not known


def _text(found: Estimate) -> str:
    facts = {"images": str(found.images), "to embed": str(found.pending)}
    if found.way is not None:
        way = found.way
        facts["rate"] = f"{found.rate:.0f} images/s, measured on {found.sample}"
        facts["time"] = (
            f"{console.duration(found.seconds)}, {console.duration(found.start)} of it to start"
        )
        facts["runtime"] = f"{way.runtime}: {way.reason}"
        facts["batches"] = f"{way.batch_size} images, decoded by {counted(way.workers, 'worker')}"
        facts["processor"] = f"computes in {' and '.join(way.precisions)}"
    facts["feature set"] = str(found.folder)
    facts["size"] = f"{console.size(found.size)}, of {console.size(found.free)} free"
    return console.facts(facts)
