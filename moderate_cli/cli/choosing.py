"""Options of select and report that say how to choose -> choices of the library."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, TypeVar

from moderate_cli.cli import declaring, precedence, shares
from moderate_cli.cli.values import PATH, Whole
from moderate_cli.cli.values import Choice as OneOf
from moderate_cli.errors import OptionError
from moderate_cli.selection import BALANCES, RECOMMENDED, SCOPES, STRATEGIES, Choice
from moderate_cli.selection.choice import WHERE
from moderate_cli.selection.conflicts import conflicts

One = TypeVar("One")

ratio = declaring.option(
    "-r",
    "--ratio",
    "ratios",
    type=shares.RATIOS,
    metavar="R",
    default="0.3",
    help="Fraction to keep, 0 < R <= 1.",
)
count = declaring.option("--count", type=Whole(min=1), help="Number to keep, instead of --ratio.")

strategy = declaring.option(
    "--strategy",
    type=OneOf(STRATEGIES, WHERE),
    metavar="NAME",
    default="moderate",
    help=f"Selection rule: {RECOMMENDED} is recommended; `moderate help strategies`.",
)
DROPPED = shares.Share("auto", "nothing", one=False)
drop_suspects = declaring.option(
    "--drop-suspects",
    type=DROPPED,
    metavar="auto|F",
    help="Drop likely label errors first: auto (probability above 0.5), a fraction, or `nothing`;"
    " --ratio is of the rest.",
)
keep_from = declaring.option(
    "--keep-from",
    command_line_only=True,
    type=PATH,
    metavar="FILE|DIR",
    help="Keep the images of an earlier selection, a list or a copy, and fill up the rest.",
)
selecting = declaring.group(
    declaring.option(
        "--scope",
        type=OneOf(SCOPES),
        metavar="NAME",
        default="class",
        help="Keep a share of each class, or select from all images together (global), as in the"
        " paper.",
    ),
    declaring.option(
        "--balance",
        type=OneOf(list(BALANCES)),
        metavar="NAME",
        default="proportional",
        help="Divide the budget among classes by size (proportional), by its square root (sqrt), or"
        " equally (uniform).",
    ),
    declaring.option(
        "--quantile",
        type=shares.ANY,
        metavar="Q",
        default="0.5",
        help="Position of the moderate window: 0 nearest to the centers, 1 farthest.",
    ),
    declaring.option(
        "--min-per-class",
        type=Whole(min=0),
        default=1,
        help="Minimum number of images kept per class; 0 for no minimum.",
    ),
    declaring.option(
        "--dedup",
        type=shares.SIMILARITY,
        metavar="THRESHOLD",
        help="Drop near duplicates first: minimum cosine similarity to an earlier one, e.g. 0.95.",
    ),
    section="Selection",
)


def choices_from(
    ratios: dict[str, Fraction] | None,
    count: int | None,
    *,
    criterion: str,
    drop_suspects: Fraction | Literal["auto", "nothing"] | None,
    **how: Any,
) -> dict[str, Choice]:
    """Return one choice for each amount to keep, by the text of the amount.

    Of two options that exclude each other, the one set nearer to the command line wins, so that
    presets give way to the command line.
    """
    asked = {**how, "count": count, "drop_suspects": drop_suspects}
    asked["ratio"] = None if ratios is None else next(iter(ratios.values()))
    # By default each strategy has a criterion of its own.
    asked["criterion"] = None if precedence.left_alone("criterion") else criterion
    _give_way(asked)
    first = Choice(**asked)
    option = f"--strategy {first.strategy}" if first.criterion is None else ""
    used = precedence.centered(first.scored_by, first.center, first.metric, option)
    asked["center"], asked["metric"] = used
    if asked["ratio"] is None or ratios is None:
        return {str(count): Choice(**asked)}
    return {text: Choice(**{**asked, "ratio": ratio}) for text, ratio in ratios.items()}


def _give_way(asked: dict[str, Any]) -> None:
    """Reset each option that a stronger one excludes to its default, and say so."""
    defaults = {field: getattr(Choice(ratio=1), field) for field in ("scope", "quantile")}
    for one, other, wins, _ in list(conflicts(asked)):
        stronger = precedence.stronger(*(_PARAMETERS.get(name, name) for name in (one, other)))
        if stronger == _PARAMETERS.get(one, one):
            if wins == "one":
                precedence.warn_without_effect(other, asked[other], f"--{one} {asked[one]}")
            asked[other] = defaults.get(other)
        elif stronger is not None and wins == "both":  # of two amounts, both are not expected
            asked[one] = defaults.get(one)


_PARAMETERS = {"ratio": "ratios"}  # field of `Choice` -> parameter of a command, if named otherwise


def single(given: dict[str, One], command: str) -> One:
    """Return the only ratio, or choice for one, for a command that makes one selection.

    Raises
    ------
    OptionError
        If there are several.
    """
    if len(given) > 1:
        raise OptionError(f"{command} takes only one {{}}", "ratio")
    return next(iter(given.values()))


def file_text(amount: str) -> str:
    """Return the text of an amount in a file name.

    >>> file_text("1/3"), file_text("0.30")
    ('1-3', '0.30')
    """
    return amount.replace("/", "-")
