"""Options that commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from moderate_cli.cli import config
from moderate_cli.cli.declaring import group, option
from moderate_cli.cli.parsing import labels
from moderate_cli.cli.values import PATH, Choice, Whole
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.embedding.options import ON_ERROR
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
from moderate_cli.scoring import CENTERS, CRITERIA, METRICS
from moderate_cli.text import one_of

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

LAST_SEED = 2**32 - 1  # every generator takes it, and the seeds that are counted up from it
# Larger batches have no effect; more threads cost memory and processes for nothing.
MOST_AT_ONCE, MOST_THREADS = 65536, 1024


configuration = option(
    "--config",
    metavar="FILE",
    callback=config.apply,
    is_eager=True,
    expose_value=False,
    help="Read options from a TOML file or a bundled preset.",
)

data_required = click.argument("data", type=PATH)
data_optional = click.argument("data", type=PATH, required=False)

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
arrays = group(
    option(
        "--features",
        "features_files",
        type=PATH,
        multiple=True,
        metavar="FILE",
        help="Features (.npy, shape (n, d)) instead of DATA. Repeat to combine several.",
    ),
    option(
        "--labels",
        "labels_file",
        type=labels,
        metavar="FILE|kmeans:K",
        help="Class of each row (.npy, shape (n,)); kmeans:K clusters the features instead.",
    ),
    section="Features",
)

store = option(
    "--store",
    type=PATH,
    metavar="DIR",
    help="Directory of the feature store.  [default: DATA.moderate]",
)

device = option("--device", type=Choice(DEVICES), default="auto", help="Device to run on.")

max_pixels = option(
    "--max-pixels",
    type=Whole(min=1),
    metavar="N",
    default=DEFAULT_MAX_PIXELS,
    help="Treat images of more pixels as unreadable.",
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
            help="State dict for the backbone, e.g. of your fine-tuned classifier.",
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
            help="Decode large JPEGs in full, or reduced: faster, slightly different features.",
        ),
        max_pixels,
        option(
            "--check",
            type=Choice(list(CHECKS)),
            default="stat",
            help="Detect changes by size, times and inode; by size and mtime; or by content, which"
            " reads all images and features.",
        ),
        option(
            "--batch-size",
            type=Whole(min=1, max=MOST_AT_ONCE),
            help="Batch size.  [default: 8 per processor, 256 on a GPU]",
        ),
        option(
            "-j",
            "--workers",
            type=Whole(min=1, max=MOST_THREADS),
            help="Threads that decode images.  [default: one per processor]",
        ),
        device,
        option(
            "--runtime",
            type=Choice(RUNTIMES),
            default="auto",
            help="Library that runs the backbone; auto prefers OpenVINO on a CPU.",
        ),
        section="Embedding",
    ),
    option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Print timings and, in select, counts per class.",
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
            help=f"Score of an image: {', '.join(CRITERIA)}. See `moderate help criteria`.",
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
