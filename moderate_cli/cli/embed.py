"""`moderate embed`: features of a dataset."""

from __future__ import annotations

import functools
from typing import Any

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import check_backbones, features_of, images_of
from moderate_cli.cli.values import Choice, Real, Whole
from moderate_cli.embedding import embed, embed_part
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.estimate import Estimate, estimate

ENGINES = ("local", "ray")


@click.command(cls=options.Sectioned)
@options.data_required
@options.option(
    "-n",
    "--dry-run",
    command_line_only=True,
    is_flag=True,
    help="Show what it would take, from a sample; write nothing.",
)
@options.option(
    "--part",
    type=options.part,
    metavar="I/N",
    help="Do the I-th of N parts, while other processes, on any machine, do theirs in the same"
    " store.",
)
@options.option(
    "--engine",
    type=Choice(ENGINES),
    default="local",
    help="What embeds: this process, or workers on a Ray cluster.",
)
@options.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="Ray cluster to use.  [default: RAY_ADDRESS, or all of this machine]",
)
@options.option(
    "--gpus-per-worker",
    type=Real(min=0),
    metavar="G",
    help="GPUs of each worker on Ray, or a part of one.  [default: 1 if there are any]",
)
@options.option(
    "--num-workers",
    type=Whole(min=1),
    metavar="N",
    help="Workers on Ray, with -j processors each.  [default: all that there is room for]",
)
@options.embedding
@options.configuration
def command(
    data: str,
    dry_run: bool,
    part: tuple[int, int] | None,
    engine: str,
    ray_address: str | None,
    gpus_per_worker: float | None,
    num_workers: int | None,
    **embedding: Any,
) -> None:
    """Write the features of a dataset's images beside it.

    DATA is a folder with one sub-folder per class; or tar files, such as 'train-{000..146}.tar'; or
    the URL of a remote folder, with --store. Its features go to DATA.moderate, one folder for each
    backbone and precision. An interrupted run is continued, and only files that changed are
    embedded again.
    """
    cluster = None
    if engine == "ray":
        options.refuse_beside("--engine ray", {"dry_run", "device"})
        cluster = Cluster(ray_address, gpus_per_worker, num_workers)
    else:
        options.refuse_without("--engine ray", {"ray_address", "gpus_per_worker", "num_workers"})
    if dry_run:
        options.refuse_beside("--dry-run", {"part"})
        _estimate(data, **embedding)
        return
    if part is not None and embedding["check"] == "content":
        raise click.UsageError("--part and --check content exclude each other")
    work = embed if part is None else functools.partial(embed_part, part=part)
    stores = features_of(data, **embedding, work=work, cluster=cluster)[1]
    for store in stores:
        count, dim = store.features.shape
        console.note(f"{count} images, {dim} features each, in {store.folder}")
    if part is not None and len(stores) < len(embedding["backbones"]):
        number, of = part
        console.note(
            f"part {number} of {of} is done; the last of them, or moderate embed without --part,"
            " completes the features"
        )


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
