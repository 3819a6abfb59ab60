"""Options that commands share, each declared once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from moderate_cli.cli import config, precedence
from moderate_cli.cli.declaring import group, option
from moderate_cli.cli.parsing import labels
from moderate_cli.cli.values import PATH, Choice, Whole
from moderate_cli.dataset.lists import ListFile, is_list
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.embedding.options import ON_ERROR
from moderate_cli.errors import LAST_SEED
from moderate_cli.exporting import TABLE_FORMATS
from moderate_cli.networks.table import (
    AUTO,
    BACKBONES,
    DECODES,
    DEFAULT_MAX_PIXELS,
    DEVICES,
    DTYPES,
    PRECISIONS,
    RUNTIMES,
    WHERE,
)
from moderate_cli.scoring import CENTERS, CRITERIA, METRICS, of_features
from moderate_cli.text import one_of

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

# Larger batches have no effect; more threads cost memory and processes for nothing.
MOST_AT_ONCE, MOST_THREADS = 65536, 1024


configuration = option(
    "--config",
    "--recipe",
    metavar="FILE",
    callback=config.apply,
    is_eager=True,
    expose_value=False,
    help="Read options from TOML, a preset or kept.json.",
)

data_required = click.argument("data", type=PATH)
data_optional = click.argument("data", type=PATH, required=False)


def lists(command: Command) -> Command:
    """Add the options of a list of images, and pass DATA to the command together with them."""

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        named = {name: given.pop(name) for name in ("images", "path_column", "label_column")}
        found = [
            name for name in ("data", "test", "against") if given.get(name) and is_list(given[name])
        ]
        if not found:
            precedence.refuse_without("a list of images as DATA, such as train.csv", named)
        given |= {name: ListFile(given[name], **named) for name in found}
        return command(**given)

    decorated: Command = _lists(run)
    return decorated


_lists = group(
    option("--images", type=PATH, metavar="DIR", help="Of a list: the folder of its images."),
    option("--path-column", metavar="NAME", help="Of a list: the column of paths."),
    option("--label-column", metavar="NAME", help="Of a list: the column of classes."),
    section="Features",
)

scores = group(
    option(
        "--scores",
        "scores_file",
        type=PATH,
        metavar="FILE",
        help="Scores (.npy, shape (n,)) instead of DATA.",
    ),
    section="Features",
)

clusters = group(
    option(
        "--labels",
        "labels_file",
        type=labels,
        metavar="kmeans:K",
        help="Cluster the features into K classes that replace the class folders.",
    ),
    section="Features",
)


def _arrays(features: str, rows: str, kind: Any, metavar: str) -> Decorator[Any]:
    """Declare the options for arrays in place of DATA, with help for both."""
    return group(
        option(
            "--features", "features_files", type=PATH, multiple=True, metavar="FILE",
            help=f"Features (.npy, shape (n, d)) instead of DATA.{features}",
        ),
        option(
            "--labels", "labels_file", type=kind, metavar=metavar,
            help=f"Class of each row (.npy, shape (n,)){rows}.",
        ),
        section="Features",
    )  # fmt: skip


arrays = _arrays(
    " Repeat to combine several.",
    "; kmeans:K clusters the features instead",
    labels,
    "FILE|kmeans:K",
)
one_array = _arrays("", "", PATH, "FILE")

store = option(
    "--store",
    type=PATH,
    metavar="DIR",
    help="Folder of the features.  [default: DATA.moderate]",
)

device = option("--device", type=Choice(DEVICES), default="auto", help="Device to run on.")

max_pixels = option(
    "--max-pixels",
    type=Whole(min=1),
    metavar="N",
    default=DEFAULT_MAX_PIXELS,
    help="Treat images of more pixels as unreadable.",
)

batch_size = option(
    "--batch-size",
    type=Whole(min=1, max=MOST_AT_ONCE),
    help="Batch size.  [default: 8 per processor; 256 to 1024 on a GPU]",
)

workers = option(
    "-j",
    "--workers",
    type=Whole(min=1, max=MOST_THREADS),
    help="Threads or processes that decode images.  [default: one per processor]",
)

runtime = option(
    "--runtime",
    type=Choice(RUNTIMES),
    default="auto",
    help="Library that runs the backbone; auto prefers OpenVINO on a CPU.",
)

embedding = group(
    group(
        store,
        option(
            "--backbone",
            "backbones",
            type=Choice([AUTO, *BACKBONES], WHERE),
            multiple=True,
            metavar="NAME",
            default=[AUTO],
            help="Network of the features: any torchvision classifier, or fitted, of `moderate"
            " fit`; auto takes that if it is better. Repeatable.",
        ),
        option(
            "--weights",
            type=PATH,
            metavar="FILE",
            help="State dict of your own, fine-tuned classifier.",
        ),
        option(
            "--on-error",
            type=Choice(ON_ERROR),
            default="fail",
            help="On unreadable images: stop with an error, or skip them.",
        ),
        section="Features",
    ),
    group(
        option(
            "--precision",
            type=Choice(PRECISIONS),
            default="float32",
            help="Precision of the forward pass.",
        ),
        option(
            "--dtype",
            type=Choice(DTYPES),
            default="float16",
            help="Data type of the stored features.",
        ),
        option(
            "--decode",
            type=Choice(DECODES),
            default="full",
            help="Decode JPEGs in full, large ones reduced, or on the GPU: faster, slightly"
            " different features.",
        ),
        max_pixels,
        option(
            "--check",
            type=Choice(list(CHECKS)),
            default="stat",
            help="Detect changes by size, times and inode; by size and mtime; or by content, which"
            " reads all images and features.",
        ),
        batch_size,
        workers,
        device,
        runtime,
        section="Embedding",
    ),
    option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Print timings; in select, counts per class.",
    ),
)

seed = option("--seed", type=Whole(min=0, max=LAST_SEED), default=0, help="Random seed.")

scoring = group(
    seed,
    group(
        option(
            "--criterion",
            type=Choice(list(CRITERIA)),
            metavar="NAME",
            default="center",
            help=f"Score of an image: {', '.join(of_features())}, fitted-aum etc. See `moderate"
            " help criteria`.",
        ),
        option("--center", type=Choice(list(CENTERS)), default="mean", help="Class center."),
        option(
            "--metric",
            type=Choice(list(METRICS)),
            default="euclidean",
            help="Distance to the class center.",
        ),
        section="Scores",
    ),
)

table_output = option(
    "-o",
    "--output",
    command_line_only=True,
    type=PATH,
    metavar="FILE",
    help=f"Write to a {one_of([*TABLE_FORMATS])} file instead of stdout.",
)
force = option("--force", command_line_only=True, is_flag=True, help="Replace an earlier export.")
