"""Options -> what is kept, the same for every command that selects."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import click
import numpy as np

from moderate_cli.arrays import Labels, Mask
from moderate_cli.cli import console, options
from moderate_cli.cli.auto import best
from moderate_cli.cli.inputs import rescored, source_from
from moderate_cli.cli.leaving import Leaving, Prepared
from moderate_cli.cli.values import Choice, Real, Whole
from moderate_cli.label_errors.suspects import check_suspectable
from moderate_cli.scoring import Scores
from moderate_cli.selection import (
    BALANCES,
    MEDIAN,
    PICKS,
    SCOPES,
    STRATEGIES,
    emptied_classes,
    kept_count,
    preparation_for,
    select,
)

AUTO = "auto"
# What each strategy keeps.
KEPT = {
    "moderate": "a window of scores around the median, or another quantile",
    "easy": "the lowest scores",
    "hard": "the highest scores",
    "two-ends": "both ends of the scores",
    "random": "a draw; with --scope class from each class its share",
    "stratified": "a draw that is even over the range of scores, without the farthest tenth",
    "matching": "herding to the geometric median of each class",
    "trimmed": "matching, without suspects and without the easiest three tenths of all images",
    "herding": "the mean of each class, as near as can be",
    "k-center": "the least distance from any image to a kept one",
    "facility-location": "the most similarity from all images to the kept ones",
    "graph": "high scores in dense regions, then elsewhere",
}
AUTO_KEPT = "what a linear head does best with, on held-out images; stderr says which"

count = options.option("--count", type=Whole(min=1), help="Number to keep, in place of --ratio.")

selecting = options.group(
    options.option(
        "--strategy",
        type=Choice([*STRATEGIES, AUTO]),
        metavar="NAME",
        default="moderate",
        meanings=("Strategies", {**KEPT, AUTO: AUTO_KEPT}),
        help="What to keep; see Strategies.",
    ),
    options.option(
        "--scope",
        type=Choice(SCOPES),
        help="From all images at once, or from each class its share.  [default: global; class for"
        " strategies that compare features]",
    ),
    options.option(
        "--balance",
        type=Choice(list(BALANCES)),
        default="proportional",
        help="What the shares of classes follow: their sizes, the square roots, or nothing.",
    ),
    options.option(
        "--quantile",
        type=options.share,
        metavar="Q",
        default="0.5",
        help="Where the moderate window sits: 0 nearest the centers, 1 farthest.",
    ),
    options.option(
        "--min-per-class",
        type=Whole(min=0),
        default=1,
        help="Keep at least so many of each class, and leave no more out first; 0 leaves the window"
        " as it is.",
    ),
    options.option(
        "--dedup",
        type=Real(0, 1, min_open=True),
        metavar="THRESHOLD",
        help="First leave out near duplicates: images whose cosine similarity to an earlier one is"
        " as high, such as 0.95.",
    ),
    options.option(
        "--drop-suspects",
        type=options.fraction,
        metavar="auto|F",
        help="First leave out images that probably have a wrong label: those more probably wrong"
        " than not, or a fraction of all.",
    ),
    section="Selection",
)


class Chosen(NamedTuple):
    """One selection.

    Attributes
    ----------
    mask
        bool (n,).
    how
        What `select` was given: an amount, a strategy and its options.
    rescued, lost
        Classes that would be empty but for --min-per-class, and those that are.
    prepared
        What it was chosen from.
    """

    mask: Mask
    how: Mapping[str, Any]
    rescued: list[int]
    lost: list[int]
    prepared: Prepared


def choose(
    amounts: Mapping[str, Mapping[str, Any]],
    *,
    strategy: str,
    scope: str | None,
    balance: str,
    quantile: Fraction,
    min_per_class: int,
    dedup: float | None,
    drop_suspects: Fraction | Literal["auto"] | None,
    seed: int,
    **source: Any,
) -> dict[str, Chosen]:
    """Select as the options say, from what they name; say on stderr what the user should know.

    Returns
    -------
    The selection for each amount, by the text that the amount was written as.
    """
    how = _strategy(strategy, scope, balance, quantile)
    how |= {"min_per_class": min_per_class, "seed": seed}
    asked = source["criterion"]
    source["criterion"], dropped = _preparation(strategy, asked, drop_suspects)
    _check_features(strategy, dedup, dropped, source)
    find_fault = partial(_check_images, amounts, strategy, dropped)
    found = source_from(**source, seed=seed, find_fault=find_fault)
    near = {name: source[name] for name in ("center", "metric")} | {"seed": seed}
    leaving = Leaving(found, dedup=dedup, min_per_class=min_per_class, seed=seed)

    @cache
    def prepare(strategy: str) -> Prepared:
        criterion, dropped = _preparation(strategy, asked, drop_suspects)
        own = found
        if criterion != source["criterion"]:
            own = rescored(found, {**near, "criterion": criterion})
        return leaving.prepare(own, criterion, dropped)

    def room(strategy: str) -> int:
        """How many images there are, but for what a strategy leaves out by itself."""
        able = prepare(AUTO).eligible.readable
        wanted = _preparation(strategy, asked, drop_suspects)[1]
        if wanted is not None:
            able[leaving.suspects(wanted).rows] = False
        return int(np.count_nonzero(able))

    # Else each strategy is tried with the criterion that it wants.
    named = {} if options.left_alone("criterion") else {"criterion": asked}
    chosen = {}
    for text, amount in amounts.items():
        way = {**how, **amount}
        if strategy == AUTO:
            way |= best(
                prepare(AUTO).eligible,
                amount,
                {name: how[name] for name in ("scope", "balance", "min_per_class")},
                near | named,
                seed=seed,
                dropped=drop_suspects is not None,
                room=room,
            )
        base = prepare(way["strategy"])
        scores = base.eligible.scores
        features = found.features if way["strategy"] in PICKS else None
        # That a strategy is given another criterion than it wants was asked for by name.
        mask = select(scores, **way, features=features, criterion=scores.criterion)
        chosen[text] = Chosen(mask, way, *_emptied(scores, mask, way), base)
        _warn_of_classes(scores, chosen[text])
    return chosen


def _preparation(
    strategy: str, criterion: str, drop_suspects: Fraction | Literal["auto"] | None
) -> tuple[str, Fraction | Literal["auto"] | None]:
    """Return the criterion, and what suspects to leave out, as asked for or as it wants."""
    wanted = preparation_for(strategy)
    if options.left_alone("criterion"):
        criterion = wanted.criterion
    if drop_suspects is None and wanted.drop_suspects:
        drop_suspects = "auto"
    return criterion, drop_suspects


def amounts_of(ratios: dict[str, Fraction] | None, count: int | None) -> dict[str, dict[str, Any]]:
    """Return the text of each amount to keep, and how `select` takes it."""
    if ratios is not None and count is not None:
        match options.stronger("ratios", "count"):
            case "ratios":
                count = None
            case "count":
                ratios = None
            case _:
                raise click.UsageError("--ratio and --count exclude each other")
    if count is not None:
        return {str(count): {"count": count}}
    if ratios is None:
        raise click.UsageError("Missing option '--ratio' or '--count'")
    return {text: {"ratio": ratio} for text, ratio in ratios.items()}


def file_text(amount: str) -> str:
    """Return the text of an amount as it stands in the name of a file.

    >>> file_text("1/3"), file_text("0.30")
    ('1-3', '0.30')
    """
    return amount.replace("/", "-")


def _strategy(strategy: str, scope: str | None, balance: str, quantile: Fraction) -> dict[str, Any]:
    """Return how to select; what a preset says of other strategies gives way."""
    if (
        scope == "global"
        and strategy == AUTO
        and options.stronger("strategy", "scope") == "strategy"
    ):
        scope = None  # else what works in each class would not be tried
    if strategy in PICKS and scope == "global":
        if options.stronger("strategy", "scope") != "strategy":
            raise click.UsageError(f"--strategy {strategy} and --scope global exclude each other")
        scope = None
    if strategy != "moderate" and quantile != MEDIAN:
        if options.stronger("strategy", "quantile") != "strategy":
            raise click.UsageError(f"--strategy {strategy} and --quantile exclude each other")
        quantile = MEDIAN
    if balance != "proportional":
        if scope == "global" and options.stronger("balance", "scope") != "balance":
            raise click.UsageError(f"--balance {balance} and --scope global exclude each other")
        scope = "class"
    return {"strategy": strategy, "scope": scope, "balance": balance, "quantile": quantile}


def _check_features(
    strategy: str,
    dedup: float | None,
    drop_suspects: Fraction | Literal["auto"] | None,
    source: dict[str, Any],
) -> None:
    """Refuse what compares features where there are none, or several sets of them."""
    own = options.left_alone("drop_suspects")  # then the strategy wants it
    suspects = f"--strategy {strategy}" if own else "--drop-suspects"
    comparing = (
        (f"--strategy {strategy}", strategy in (*PICKS, AUTO)),
        ("--dedup", dedup is not None),
        (suspects, drop_suspects is not None),
    )
    for name in [name for name, given in comparing if given]:
        if source["scores_file"] is not None:
            raise click.UsageError(f"{name} wants features, not --scores")
        for option, sets in (("backbone", "backbones"), ("features", "features_files")):
            if len(source[sets]) > 1:
                raise click.UsageError(f"{name} wants one --{option}")
    clustered = isinstance(source["labels_file"], int)
    if clustered and (strategy == AUTO or drop_suspects is not None):
        name = "--strategy auto" if strategy == AUTO else suspects
        raise click.UsageError(f"{name} and --labels kmeans:K exclude each other")


def _emptied(scores: Scores, kept: Mask, how: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Classes that would be empty but for --min-per-class, and those that stay empty."""
    if scores.labels.min() == scores.labels.max():
        return [], []
    lost = emptied_classes(scores, kept)
    if _in_classes(how):
        return [], lost
    plain = select(scores, **{**how, "min_per_class": 0})
    return sorted(set(emptied_classes(scores, plain)) - set(lost)), lost


def _in_classes(how: Mapping[str, Any]) -> bool:
    return how["scope"] == "class" or how["strategy"] in PICKS


def _check_images(
    amounts: Mapping[str, Mapping[str, Any]],
    strategy: str,
    drop_suspects: Fraction | Literal["auto"] | None,
    labels: Labels,
) -> None:
    """Refuse what so many images of such classes cannot give, whatever they show."""
    for amount in amounts.values():
        kept_count(len(labels), **amount)
    if strategy == AUTO:
        from moderate_cli.evaluation import check_comparable

        check_comparable(labels, held_out=True)
    if drop_suspects is not None:
        check_suspectable(labels)


def _warn_of_classes(scores: Scores, kept: Chosen) -> None:
    strategy, least = kept.how["strategy"], kept.how["min_per_class"]
    sizes = np.unique(scores.labels[~np.isnan(scores.values)], return_counts=True)[1]
    k, wanted = (
        int(np.count_nonzero(kept.mask)),
        int(np.minimum(sizes, min(least, len(scores))).sum()),
    )
    if least > 1 and k < wanted:
        console.note(
            f"--min-per-class {least} takes {wanted} images, and {k} are kept; some classes"
            " have fewer"
        )
    what = "the window" if strategy == "moderate" else f"strategy {strategy}"
    enough = k >= len(sizes) and not _in_classes(kept.how)
    advice = "--scope class gives each its share" if enough else "keep more images"
    some = "an image of each is kept" if least == 1 else f"up to {least} of each are kept"
    fates = ((kept.rescued, some), (kept.lost, "no image of them is kept"))
    for labels, fate in fates:
        if labels:
            number = console.count(len(labels), "class", "classes")
            names = console.some([scores.class_name(label) for label in labels])
            console.note(f"{what} leaves out {number}, {fate}: {names}; {advice}")
