"""`moderate select`: which images to keep."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import click
import numpy as np
import numpy.typing as npt

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import Source, source_from, tell_of_duplicates
from moderate_cli.duplicates import find_duplicates
from moderate_cli.exporting import LINKS, export
from moderate_cli.files import check_free
from moderate_cli.records import INDEX_FORMATS, check_suffix, index_bytes, write_index
from moderate_cli.rows import Rows
from moderate_cli.scoring import Scores
from moderate_cli.selection import (
    BALANCES,
    MEDIAN,
    PICKS,
    SCOPES,
    STRATEGIES,
    emptied_classes,
    exact,
    select,
)
from moderate_cli.suspects import MANY_STRANGERS, MOSTLY_STRANGERS

Mask = npt.NDArray[np.bool_]
AUTO, AUTO_SEEDS = "auto", 5


@click.command()
@options.data_optional
@options.option(
    "-r",
    "--ratio",
    "ratios",
    type=options.ratios,
    metavar="R[,R...]",
    help="Fraction to keep, 0 < R <= 1; several make several outputs.",
)
@options.option("--count", type=click.IntRange(min=1), help="Number to keep, in place of --ratio.")
@options.option(
    "--strategy",
    type=click.Choice([*STRATEGIES, AUTO]),
    default="moderate",
    help="What to keep: the window around the median of scores, or what the README lists; auto"
    " tries them on this dataset.",
)
@options.option(
    "--scope",
    type=click.Choice(SCOPES),
    help="From all images at once, or from each class its share.  [default: global; class for"
    " strategies that compare features]",
)
@options.option(
    "--balance",
    type=click.Choice(list(BALANCES)),
    default="proportional",
    help="What the shares of classes follow: their sizes, the square roots, or nothing.",
)
@options.option(
    "--quantile",
    type=options.share,
    metavar="Q",
    default="0.5",
    help="Where the moderate window sits: 0 nearest the centers, 1 farthest.",
)
@options.option(
    "--min-per-class",
    type=click.IntRange(min=0),
    default=1,
    help="Keep at least so many of each class; 0 leaves the window as it is.",
)
@options.option(
    "--dedup",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="THRESHOLD",
    help="First leave out near duplicates: images with a cosine to an earlier one from which on.",
)
@options.option(
    "--drop-suspects",
    type=options.fraction,
    metavar="auto|F",
    help="First leave out images that probably have a wrong label: those more probably wrong than"
    " not, or a fraction of all.",
)
@options.option("--invert", is_flag=True, help="Put out what is dropped in place of what is kept.")
@options.option("-n", "--dry-run", is_flag=True, help="Show a per-class table, write nothing.")
@options.option(
    "-o",
    "--output",
    type=options.PATH,
    metavar="FILE",
    help="Write to a .txt, .csv, .json or .npy file in place of stdout.",
)
@options.option(
    "--copy-to", type=options.PATH, metavar="DIR", help="Make an ImageFolder of the kept images."
)
@options.option(
    "--link",
    type=click.Choice(list(LINKS)),
    default="none",
    help="What --copy-to makes: copies (none) or links.",
)
@options.option("-0", "--null", "nul", is_flag=True, help="End paths with NUL, not newline.")
@options.force
@options.option(
    "--scores",
    "scores_file",
    type=options.PATH,
    metavar="FILE",
    help="Your own scores, .npy (n,), in place of DATA.",
)
@options.scoring
@options.arrays
@options.embedding
@options.configuration
def command(
    ratios: dict[str, Fraction] | None,
    count: int | None,
    strategy: str,
    scope: str | None,
    balance: str,
    quantile: Fraction,
    min_per_class: int,
    dedup: float | None,
    drop_suspects: Fraction | Literal["auto"] | None,
    seed: int,
    invert: bool,
    dry_run: bool,
    output: str | None,
    copy_to: str | None,
    link: str,
    nul: bool,
    force: bool,
    **source: Any,
) -> None:
    """Choose which images of a dataset to keep.

    Kept are the images whose distance to their class center lies around the median of all
    distances, or what another --strategy prefers. Their paths, relative to DATA, go to stdout, or
    to a file with -o, or the images themselves to a new ImageFolder with --copy-to. DATA itself is
    never changed.
    """
    amounts = _amounts(ratios, count)
    _check_outputs(amounts, output, copy_to, dry_run, force, source)
    _check_companions(output, copy_to, link, nul, force)
    how = _strategy(strategy, scope, balance, quantile) | {"seed": seed}
    _check_features(strategy, dedup, drop_suspects, source)
    found = source_from(**source, seed=seed)
    eligible = found
    if drop_suspects is not None:
        eligible = _without_suspects(eligible, drop_suspects, seed)
    else:
        _warn_of_strangers(found)
    if dedup is not None:
        eligible = _without_duplicates(eligible, dedup)
    scores, masks = eligible.scores, {}
    for text, amount in amounts.items():
        way = how
        if strategy == AUTO:
            way = how | _best(eligible, amount, scope, balance, source, seed)
        kept = select(scores, **amount, **way, min_per_class=min_per_class, features=found.features)
        _warn_of_classes(eligible, kept, {**amount, **way})
        masks[text] = ~kept & found.readable if invert else kept
    if dry_run:
        console.write(_table(found.scores, masks, "dropped" if invert else "kept"))
        return
    for text, mask in masks.items():
        _put_out(found, mask, text, output, copy_to, link=link, nul=nul, force=force)


def _check_features(
    strategy: str,
    dedup: float | None,
    drop_suspects: Fraction | Literal["auto"] | None,
    source: dict[str, Any],
) -> None:
    """Refuse what compares features where there are none, or several sets of them."""
    comparing = {
        f"--strategy {strategy}": strategy in (*PICKS, AUTO),
        "--dedup": dedup is not None,
        "--drop-suspects": drop_suspects is not None,
    }
    for name in [name for name, given in comparing.items() if given]:
        if source["scores_file"] is not None:
            raise click.UsageError(f"{name} wants features, not --scores")
        for option, sets in (("backbone", "backbones"), ("features", "features_files")):
            if len(source[sets]) > 1:
                raise click.UsageError(f"{name} wants one --{option}")
    if isinstance(source["labels_file"], int):
        for name, given in {
            "--drop-suspects": drop_suspects is not None,
            "--strategy auto": strategy == AUTO,
        }.items():
            if given:
                raise click.UsageError(f"{name} and --labels kmeans:K exclude each other")


def _warn_of_strangers(found: Source) -> None:
    """Say so where labels look wrong, by a test that takes no time."""
    if not found.sets or found.sets[0].labeling:
        return
    share = min(features.strangers() for features in found.sets)
    if share > MANY_STRANGERS:
        advice = "are labels wrong? See 'moderate suspects', and --drop-suspects auto"
        if share > MOSTLY_STRANGERS:
            advice = "do the features know these classes? Another --backbone, or --weights, may"
        console.note(
            f"{100 * share:.0f} % of images lie nearer to most other classes than to their own;"
            f" {advice}"
        )


def _best(
    found: Source,
    amount: dict[str, Any],
    scope: str | None,
    balance: str,
    source: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Try strategies on held-out images, and say which is taken."""
    from moderate_cli.evaluation import choose
    from moderate_cli.evaluation.summary import estimate

    data = replace(found.sets[0], readable=found.readable, folder=None)
    ratio = str(amount.get("ratio") or Fraction(amount["count"], int(data.readable.sum())))
    scoring = {name: source[name] for name in ("criterion", "center", "metric")} | {"seed": seed}
    selecting = {"balance": balance, "scope": scope}
    seeds = range(seed, seed + AUTO_SEEDS)
    tried = choose(data, ratio, seeds=seeds, scoring=scoring, selecting=selecting)
    said = [f"{cell.name} {100 * estimate(values).mean:.1f}" for cell, values in tried.items()]
    console.note(
        f"strategy auto takes {said[0]} % right of held-out images; others: {', '.join(said[1:])}"
    )
    best = next(iter(tried))
    return {"strategy": best.strategy, "quantile": exact(best.quantile)}


def _without_suspects(found: Source, fraction: Fraction | Literal["auto"], seed: int) -> Source:
    suspects = found.sets[0].suspects(seed=seed).most_probable(fraction)
    number = console.count(len(suspects), "suspect is", "suspects are")
    console.note(f"{number} left out")
    return _without(found, suspects, "suspects")


def _without_duplicates(found: Source, threshold: float) -> Source:
    scores, features = found.scores, found.features
    assert features is not None
    duplicates = find_duplicates(features, np.flatnonzero(found.readable), threshold)
    everyone = np.arange(len(scores))
    tell_of_duplicates(duplicates, scores.labels, scores.paths or scores.names(everyone))
    return _without(found, duplicates.rows, "near duplicates of others")


def _without(found: Source, rows: Rows, what: str) -> Source:
    """Leave images out; say so where that is all of a class."""
    scores, values = found.scores, found.scores.values.copy()
    values[rows] = np.nan
    left = scores.labels[~np.isnan(values)]
    lost = np.setdiff1d(scores.labels[found.readable], left).tolist()
    if lost:
        names = console.some([scores.class_name(label) for label in lost])
        number = console.count(len(lost), "class", "classes")
        console.note(f"of {number} all images are {what}: {names}")
    return found._replace(scores=replace(scores, values=values))


def _amounts(ratios: dict[str, Fraction] | None, count: int | None) -> dict[str, dict[str, Any]]:
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


def _strategy(strategy: str, scope: str | None, balance: str, quantile: Fraction) -> dict[str, Any]:
    """Return how to select; what a preset says of other strategies gives way."""
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


def _check_outputs(
    amounts: dict[str, Any],
    output: str | None,
    copy_to: str | None,
    dry_run: bool,
    force: bool,
    source: dict[str, Any],
) -> None:
    """Find fault before hours of embedding, not after."""
    named = {"--output": output, "--copy-to": copy_to}
    for name, value in named.items():
        if value is not None and dry_run:
            raise click.UsageError(f"{name} and --dry-run exclude each other")
        if value is not None and len(amounts) > 1 and "{ratio}" not in value:
            raise click.UsageError(f"several ratios want {{ratio}} in the name that {name} gives")
    if len(amounts) > 1 and not any((output, copy_to, dry_run)):
        raise click.UsageError("several ratios want -o or --copy-to with {ratio} in the name")
    if copy_to is not None and source["data"] is None:
        raise click.UsageError("--copy-to wants DATA, a dataset folder")
    if output is not None:
        check_suffix(output, INDEX_FORMATS)
    if copy_to is not None and not force:
        for text in amounts:
            check_free(copy_to.replace("{ratio}", text))


def _check_companions(
    output: str | None, copy_to: str | None, link: str, nul: bool, force: bool
) -> None:
    for name, given in {"--force": force, "--link": link != "none"}.items():
        if given and copy_to is None:
            raise click.UsageError(f"{name} wants --copy-to")
    if nul and output is not None and not output.lower().endswith(".txt"):
        raise click.UsageError(f"-0 and --output {output} exclude each other")


def _put_out(
    found: Source,
    mask: Mask,
    text: str,
    output: str | None,
    copy_to: str | None,
    *,
    link: str,
    nul: bool,
    force: bool,
) -> None:
    if output is None and copy_to is None:
        console.write(index_bytes(found.scores, np.flatnonzero(mask), nul=nul))
    if output is not None:
        write_index(output.replace("{ratio}", text), found.scores, mask, nul=nul)
    if copy_to is not None and found.dataset is not None:
        folder = copy_to.replace("{ratio}", text)
        with console.progress("copy") as move:
            export(found.dataset, mask, folder, link=link, force=force, on_progress=move)
        console.note(f"{np.count_nonzero(mask)} of {len(found.scores)} images in {folder}")


def _warn_of_classes(found: Source, kept: Mask, how: dict[str, Any]) -> None:
    """Say so where classes would be empty but for --min-per-class, and where they stay empty."""
    scores = found.scores
    if scores.labels.min() == scores.labels.max():
        return
    lost = emptied_classes(scores, kept)
    rescued: list[int] = []
    in_classes = how["scope"] == "class" or how["strategy"] in PICKS
    if not in_classes:
        plain = select(scores, **how, min_per_class=0)
        rescued = sorted(set(emptied_classes(scores, plain)) - set(lost))
    what = "the window" if how["strategy"] == "moderate" else f"strategy {how['strategy']}"
    advice = "keep more images" if in_classes else "--scope class gives each its share"
    for labels, fate in ((rescued, "an image of each is kept"), (lost, "no image of them is kept")):
        if labels:
            number = console.count(len(labels), "class", "classes")
            names = console.some([scores.class_name(label) for label in labels])
            console.note(f"{what} leaves out {number}, {fate}: {names}; {advice}")


def _table(scores: Scores, masks: dict[str, Mask], verb: str) -> bytes:
    labels, sizes = np.unique(scores.labels[~np.isnan(scores.values)], return_counts=True)
    columns = [
        dict(zip(*np.unique(scores.labels[mask], return_counts=True), strict=True))
        for mask in masks.values()
    ]
    header = ("class", "images", *(f"{verb} {text}" if len(masks) > 1 else verb for text in masks))
    rows = [
        (scores.class_name(label), str(size), *(str(column.get(label, 0)) for column in columns))
        for label, size in zip(labels.tolist(), sizes.tolist(), strict=True)
    ]
    total = ("total", str(sizes.sum()), *(str(np.count_nonzero(mask)) for mask in masks.values()))
    return console.table(header, [*rows, total]).encode(errors="surrogateescape")
