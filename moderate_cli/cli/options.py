"""Options that commands share, each declared once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from moderate_cli.cli import completing, config, precedence
from moderate_cli.cli.backbone_names import BackboneName
from moderate_cli.cli.declaring import group, option
from moderate_cli.cli.parsing import labels
from moderate_cli.cli.values import PATH, Choice, Device, Whole
from moderate_cli.dataset.lists import is_list
from moderate_cli.dataset.named import READING, NamedDataset
from moderate_cli.dataset.scanning import takes_columns
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.embedding.options import ON_ERROR
from moderate_cli.errors import LAST_SEED
from moderate_cli.exporting import LINKS, TABLE_FORMATS
from moderate_cli.networks.table import (
    AUTO,
    DECODES,
    DEFAULT_MAX_PIXELS,
    DTYPES,
    IGNORE,
    ORIENTATIONS,
    PRECISIONS,
    RUNTIMES,
)
from moderate_cli.scoring import CENTERS, CRITERIA, METRICS
from moderate_cli.text import one_of

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

# Larger batches have no effect; more threads cost memory and processes for nothing.
MOST_AT_ONCE, MOST_THREADS = 65536, 1024


configuration = option(
    "--config",
    "--recipe",
    metavar="FILE",
    shell_complete=completing.presets,
    callback=config.apply,
    is_eager=True,
    expose_value=False,
    help="Read options from TOML, a preset or kept.json.",
)

data_required = click.argument("data", type=PATH)
data_optional = click.argument("data", type=PATH, required=False)


def lists(command: Command) -> Command:
    """Add the options that say how DATA is read, and pass it to the command with them."""

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        named = {name: given.pop(name) for name in READING}
        if not given.get("data"):
            precedence.refuse_without("DATA, such as train.csv", named)
        asked = precedence.overridden({name.replace("_", "-") for name in READING})
        paths = {name: given[name] for name in ("data", "test", "against") if given.get(name)}
        lists = [name for name, path in paths.items() if is_list(path)]
        # Beside class folders, those of lists are for the list to judge by or compare with.
        apart = bool(lists) and "data" in paths and not takes_columns(paths["data"])
        for name, path in paths.items():
            # Those of the environment are for lists only; those of DATA may not fit a test set.
            if name in lists or asked:
                own = {"label_pattern": named["label_pattern"]} if apart else named
                lenient = name != "data" and not apart
                store = given.get("store") if name == "data" else None
                used = named if name in lists else own
                given[name] = NamedDataset(path, **used, lenient=lenient, store=store)
        return command(**given)

    decorated: Command = _lists(run)
    return decorated


_lists = group(
    option("--images", type=PATH, metavar="DIR", help="Of a list: the folder of its images."),
    option(
        "--path-column",
        metavar="NAME",
        shell_complete=completing.columns,
        help="Of a list or table: the column of images.",
    ),
    option(
        "--label-column",
        metavar="NAME",
        shell_complete=completing.columns,
        help="Of a list or table: the column of classes.",
    ),
    option(
        "--label-pattern", metavar="REGEX", help="Find the class in the file name, e.g. 'cat|dog'."
    ),
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

corrections = group(
    option(
        "--labels",
        "labels_file",
        type=PATH,
        metavar="FILE",
        help="Corrected labels (.csv: path, label).",
    ),
    section="Features",
)

clusters = group(
    option(
        "--labels",
        "labels_file",
        type=labels,
        shell_complete=completing.files,
        metavar="FILE|kmeans:K",
        help="Corrected labels (.csv: path, label), or K clusters of the features.",
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
            "--labels", "labels_file", type=kind, metavar=metavar, shell_complete=completing.files,
            help=f"Corrected labels (.csv: path, label), or classes of --features (.npy){rows}.",
        ),
        section="Features",
    )  # fmt: skip


arrays = _arrays(
    " Repeat to combine several.",
    ", or K clusters",
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

device = option(
    "--device",
    type=Device(),
    metavar="NAME",
    default="auto",
    help="Device: auto, cpu, cuda (cuda:1 is the second GPU) or mps.",
)

max_pixels = option(
    "--max-pixels",
    type=Whole(min=1),
    metavar="N",
    default=DEFAULT_MAX_PIXELS,
    help="Larger images are unreadable.",
)

orientation = option(
    "--orientation",
    type=Choice(ORIENTATIONS),
    metavar="NAME",
    default=IGNORE,
    help="Turn images by their tag (exif), or ignore it.",
)

batch_size = option(
    "--batch-size",
    type=Whole(min=1, max=MOST_AT_ONCE),
    help="Batch size.  [default: 8 per CPU; 256 to 1024 on a GPU]",
)

workers = option(
    "-j",
    "--workers",
    type=Whole(min=1, max=MOST_THREADS),
    help="Decoding threads or processes.  [default: one per CPU]",
)

runtime = option(
    "--runtime",
    type=Choice(RUNTIMES),
    metavar="NAME",
    default="auto",
    help=f"Runs the backbone: {one_of(RUNTIMES)}; auto prefers OpenVINO on a CPU.",
)

embedding = group(
    group(
        store,
        option(
            "--backbone",
            "backbones",
            type=BackboneName(),
            multiple=True,
            metavar="NAME",
            default=[AUTO],
            help="Network of the features, as `moderate backbones` lists them; auto takes that of"
            " `moderate fit` if it is better. Repeatable.",
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
            metavar="NAME",
            default="fail",
            help="Unreadable images: fail, or skip them.",
        ),
        section="Features",
    ),
    group(
        option(
            "--precision",
            type=Choice(PRECISIONS),
            metavar="NAME",
            default="float32",
            help=f"Computed in {one_of(PRECISIONS)}.",
        ),
        option(
            "--dtype",
            type=Choice(DTYPES),
            metavar="NAME",
            default="float16",
            help=f"Stored as {one_of(DTYPES)}.",
        ),
        option(
            "--decode",
            type=Choice(DECODES),
            metavar="NAME",
            default="full",
            help="Decode JPEGs in full; large ones reduced, or on the gpu: faster, slightly"
            " different features.",
        ),
        orientation,
        max_pixels,
        option(
            "--check",
            type=Choice(list(CHECKS)),
            metavar="NAME",
            default="stat",
            help="Detect changes by stat (size, times and inode), by size and mtime, or by content,"
            " which reads all images and features.",
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
            help="Image score; `moderate help criteria`.",
        ),
        option(
            "--center",
            type=Choice(list(CENTERS)),
            metavar="NAME",
            default="mean",
            help=f"Center: {one_of(list(CENTERS))}.",
        ),
        option(
            "--metric",
            type=Choice(list(METRICS)),
            metavar="NAME",
            default="euclidean",
            help=f"Distance to it: {one_of(list(METRICS))}.",
        ),
        section="Scores",
    ),
)


def output(
    told: str, name: str = "output", *, metavar: str = "FILE", **more: Any
) -> Decorator[Any]:
    """Declare where a command writes, in its own words."""
    return option(
        "-o", "--output", name,
        command_line_only=True, type=PATH, metavar=metavar, help=told, **more,
    )  # fmt: skip


def output_in(formats: Iterable[str]) -> Decorator[Any]:
    """Declare a file in place of stdout."""
    return output(f"Write to a {one_of([*formats])} file instead of stdout.")


def copy_to(told: str) -> Decorator[Any]:
    """Declare a folder for copies, in the words of a command."""
    return option("--copy-to", command_line_only=True, type=PATH, metavar="DIR", help=told)


table_output = output_in(TABLE_FORMATS)
copies = copy_to("Copy the images to a new folder.")
link = option(
    "--link",
    type=Choice(list(LINKS)),
    metavar="NAME",
    default="none",
    help="How --copy-to adds images: none copies, hard and symbolic link.",
)
force = option("--force", command_line_only=True, is_flag=True, help="Replace an earlier export.")
