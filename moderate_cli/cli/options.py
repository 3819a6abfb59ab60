"""Options that commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from moderate_cli.cli import config
from moderate_cli.cli.values import WHOLE, Choice, Whole
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.errors import ArgumentError
from moderate_cli.networks.table import (
    BACKBONES,
    DECODES,
    DEFAULT_BACKBONE,
    DEFAULT_MAX_PIXELS,
    DEVICES,
    DTYPES,
    PRECISIONS,
    RUNTIMES,
    WHERE,
)
from moderate_cli.scoring import CENTERS, CRITERIA, METRICS
from moderate_cli.selection import exact
from moderate_cli.text import clipped

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

LAST_SEED = 2**32 - 1  # that every generator takes, with the seeds that are counted on from it
# More images at once have no effect; more threads take memory, and processes, for nothing.
MOST_AT_ONCE, MOST_THREADS = 65536, 1024
ON_ERROR = ("fail", "skip")


class _Path(click.Path):
    """A path; an empty one, as of a variable that is not set, would stand for this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path."""
        if value == "":
            self.fail("is empty.", param, ctx)
        return super().convert(value, param, ctx)


# A name that may start with a dash, or with bytes that are no UTF-8, is taken as it is.
PATH = _Path(path_type=str)
# What each criterion measures.
MEASURED = {
    "center": "distance to the class center",
    "margin": "distance to the own class center minus that to the nearest other one",
    "neighbors": "share of the ten nearest neighbors, by cosine, that have another label",
    "el2n": "error early in the training of a linear head",
    "grand": "length of the gradient early in the training of a linear head",
    "forgetting": "how often the head gets the image wrong after it had it right",
    "aum": "how much higher another class stood than the label, mean over the head's training",
    "prototypes": "cosine distance to the nearest of as many k-means centers as there are classes,"
    " labels unseen",
}


class Option(click.Option):
    """An option that stands in a section of the help; another one tells what its values mean.

    One for the command line only is set by no file and no variable that a user may have forgotten.
    """

    section = "Options"

    def __init__(
        self,
        *names: Any,
        meanings: tuple[str, Mapping[str, str]] | None = None,
        command_line_only: bool = False,
        **attributes: Any,
    ) -> None:
        super().__init__(*names, **attributes)
        self.meanings = meanings
        self.command_line_only = command_line_only


class Sectioned(click.Command):
    """A command whose help lists options by section, in the order in which sections come."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        sections: dict[str, list[tuple[str, str]]] = {}
        meanings: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                name = param.section if isinstance(param, Option) else Option.section
                sections.setdefault(name, []).append(record)
            if isinstance(param, Option) and param.meanings is not None:
                title, values = param.meanings
                meanings[title] = list(values.items())
        sections |= meanings
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)


def option(*names: str, command_line_only: bool = False, **attributes: Any) -> Decorator[Any]:
    """Declare an option that `MODERATE_<NAME>` in the environment sets too.

    Not so one that says where to write, what to replace, or whether to.
    """
    long = max(names, key=len).lstrip("-")
    if not command_line_only:
        attributes.setdefault("envvar", f"MODERATE_{long.replace('-', '_').upper()}")
    attributes["command_line_only"] = command_line_only
    attributes.setdefault("show_default", attributes.get("default") is not None)
    return click.option(*names, cls=Option, **attributes)


def group(*decorators: Decorator[Any], section: str = "") -> Decorator[Any]:
    """Apply several options as one, in the order in which the help lists them."""

    def decorate(command: Any) -> Any:
        before = len(getattr(command, "__click_params__", ()))
        for decorator in reversed(decorators):
            command = decorator(command)
        if section:
            for param in command.__click_params__[before:]:
                param.section = section
        return command

    return decorate


def stronger(one: str, other: str) -> str | None:
    """Return which of two parameters was set nearer the command line, if either was."""
    order = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    context = click.get_current_context()
    sources = [context.get_parameter_source(name) for name in (one, other)]
    if sources[0] == sources[1]:
        return None
    return next((one, other)[sources.index(source)] for source in order if source in sources)


def left_alone(name: str) -> bool:
    """Whether a parameter has its default because nobody set it."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT


def refuse_beside(flag: str, names: Iterable[str]) -> None:
    """Refuse options on the command line that `flag` would leave without effect.

    In the environment or in a config file they may stand, for other commands.
    """
    for long in _given(names):
        raise click.UsageError(f"{flag} and {long} exclude each other")


def refuse_without(flag: str, names: Iterable[str]) -> None:
    """Refuse options on the command line that have no effect where `flag` is not given."""
    for long in _given(names):
        raise click.UsageError(f"{long} wants {flag}")


def _given(names: Iterable[str]) -> Iterator[str]:
    """Return the long form of those options that stand on the command line."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            yield max(parameter.opts, key=len)


def share(text: str) -> Fraction:
    """Read a number in [0, 1] as it is written: 0.3 is 3/10 and not a float near it."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise click.BadParameter(f"{clipped(text)} is not in [0, 1].")
    return number


def fraction(text: str) -> Fraction | Literal["auto"]:
    """Read a number in (0, 1), or "auto"."""
    if text == "auto":
        return "auto"
    number = _number(text, "neither auto nor a number")
    if not 0 < number < 1:
        raise click.BadParameter(f"{clipped(text)} is not in (0, 1).{_as_fraction(text)}")
    return number


def labels(text: str | int) -> str | int:
    """Read the name of a file, or the number of clusters after "kmeans:"."""
    if isinstance(text, int) or not text.startswith("kmeans:"):
        return text
    number = text.removeprefix("kmeans:")
    if not (WHOLE.fullmatch(number) and int(number) > 0):
        raise click.BadParameter(
            f"{clipped(text)!r} does not name a number of clusters, as kmeans:100 does."
        )
    return int(number)


def part(text: str) -> tuple[int, int]:
    """Read the number of a part, from 1, and how many there are."""
    number, slash, of = text.partition("/")
    numbers = slash and WHOLE.fullmatch(number) and WHOLE.fullmatch(of)
    if not (numbers and 1 <= int(number) <= int(of)):
        raise click.BadParameter(f"{clipped(text)!r} is no part, as 1/8 to 8/8 are.")
    return int(number), int(of)


def ratios(text: str) -> dict[str, Fraction]:
    """Read one ratio or several with commas, each with the text it was written as."""
    found: dict[str, Fraction] = {}
    for part in map(str.strip, str(text).split(",")):
        ratio = _number(part)
        twin = next((other for other, value in found.items() if value == ratio), None)
        if twin is not None:
            raise click.BadParameter(f"{part} is {twin} again; name each ratio once.")
        if not 0 < ratio <= 1:
            raise click.BadParameter(
                f"{clipped(part)} is not in (0, 1]; it is the fraction kept.{_as_fraction(part)}"
            )
        found[part] = ratio
    return found


def points(text: str) -> float:
    """Read a difference of accuracies: "1%" is a hundredth."""
    number = _number(text.removesuffix("%"))
    if not 0 <= number <= 100:
        raise click.BadParameter(f"{clipped(text)} is not in [0%, 100%].")
    return float(number / 100)


def _number(text: str, otherwise: str = "not a number") -> Fraction:
    try:
        return exact(text)
    except ArgumentError:
        shown = clipped(text)
        raise click.BadParameter(f"{shown!r} is {otherwise}.{_as_fraction(text)}") from None


def _as_fraction(text: str) -> str:
    """Say how to write what looks like a percentage.

    >>> _as_fraction("30%"), _as_fraction("30"), _as_fraction("-1")
    (' For 30 % write 0.3.', ' For 30 % write 0.3.', '')
    """
    number = text.removesuffix("%").strip()
    try:
        value = exact(number)
    except ArgumentError:
        return ""
    return f" For {number} % write {float(value / 100):g}." if 1 < value < 100 else ""


configuration = option(
    "--config",
    metavar="FILE",
    callback=config.apply,
    is_eager=True,
    expose_value=False,
    help="Take options from a TOML file, or a bundled preset by name.",
)

data_required = click.argument("data", type=PATH)
data_optional = click.argument("data", type=PATH, required=False)

labels_option = group(
    option(
        "--labels",
        "labels_file",
        type=labels,
        metavar="FILE|kmeans:K",
        help="Class of each row of --features or --scores, .npy (n,); or K clusters of features"
        " in place of classes.",
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
        help="Your own features, .npy (n, d), in place of DATA; several are ranked together.",
    ),
    labels_option,
    section="Features",
)

store = option(
    "--store", type=PATH, metavar="DIR", help="Where features lie.  [default: DATA.moderate]"
)

device = option("--device", type=Choice(DEVICES), default="auto", help="Where the network runs.")

max_pixels = option(
    "--max-pixels",
    type=click.IntRange(min=1),
    metavar="N",
    default=DEFAULT_MAX_PIXELS,
    help="Pixels of the largest image to read; a larger one is unreadable.",
)

embedding = group(
    store,
    option(
        "--backbone",
        "backbones",
        type=Choice(BACKBONES, WHERE),
        multiple=True,
        metavar="NAME",
        default=[DEFAULT_BACKBONE],
        help="Network that makes the features; any torchvision classifier. Several are ranked"
        " together.",
    ),
    option(
        "--weights",
        type=PATH,
        metavar="FILE",
        help="State dict for the backbone, such as your fine-tuned classifier.",
    ),
    option(
        "--precision",
        type=Choice(PRECISIONS),
        default="float32",
        help="What the backbone computes in.",
    ),
    option("--dtype", type=Choice(DTYPES), default="float16", help="What features are stored in."),
    option(
        "--decode",
        type=Choice(DECODES),
        default="full",
        help="Decode large JPEGs in full, or reduced: faster, not quite the same features.",
    ),
    max_pixels,
    option(
        "--check",
        type=click.Choice(list(CHECKS)),
        default="stat",
        help="How to see that an image is unchanged: by its stat, which is size, times and inode;"
        " by size and mtime alone; or by content, which reads all images and features.",
    ),
    option(
        "--batch-size",
        type=Whole(min=1, max=MOST_AT_ONCE),
        help="Images at once.  [default: 8 per processor, 256 on a GPU]",
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
        help="What runs the backbone; auto is OpenVINO on a CPU if it is installed.",
    ),
    option(
        "--on-error",
        type=Choice(ON_ERROR),
        default="fail",
        help="Whether unreadable images end the command or are left out.",
    ),
    option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Say where the time went, and, in select, what each class keeps.",
    ),
    section="Features",
)

seed = option(
    "--seed", type=Whole(min=0, max=LAST_SEED), default=0, help="For what is drawn at random."
)

scoring = group(
    seed,
    group(
        option(
            "--criterion",
            type=Choice(list(CRITERIA)),
            metavar="NAME",
            default="center",
            meanings=("Criteria", MEASURED),
            help="What scores measure; see Criteria.",
        ),
        option("--center", type=Choice(list(CENTERS)), default="mean", help="Center of a class."),
        option(
            "--metric",
            type=Choice(list(METRICS)),
            default="euclidean",
            help="Distance to the center.",
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
    help="Write to a .txt, .csv or .json file in place of stdout.",
)
force = option("--force", command_line_only=True, is_flag=True, help="Replace an earlier export.")
