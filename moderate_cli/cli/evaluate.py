"""`moderate evaluate`: which strategy and ratio to use on this dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import click
import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.charts.curves import draw_curves
from moderate_cli.charts.drawing import SUFFIXES, check_drawable
from moderate_cli.cli import console, options
from moderate_cli.cli.choosing import KEPT
from moderate_cli.cli.inputs import feature_set_of
from moderate_cli.cli.outputs import Outputs, inputs_of
from moderate_cli.cli.values import Choice, Whole
from moderate_cli.dataset import Dataset, scan
from moderate_cli.errors import DatasetError
from moderate_cli.evaluation import (
    FULL,
    Cell,
    Learner,
    ProbeLearner,
    check_comparable,
    evaluate,
)
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.evaluation.recipe import BATCH, NETWORKS, SMALL, Recipe
from moderate_cli.evaluation.summary import (
    Estimate,
    Line,
    as_table,
    smallest_within,
    summarize,
)
from moderate_cli.exporting.records import TABLE_FORMATS, check_output, formatted, write_table
from moderate_cli.networks.table import CLASSIFIERS, WHERE
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import check_compared
from moderate_cli.selection import PICKS, SCOPES, STRATEGIES, preparation_for, written
from moderate_cli.store.feature_store import FeatureStore

EVALUATORS = ("probe", "train", "fine-tune")
STEPS = {"train": 1000, "fine-tune": 200}


def _strategies(text: str) -> list[tuple[str, str]]:
    """Read strategies with commas; "moderate:0.25" names the quantile of its window, too."""
    found = []
    for part in text.split(","):
        name, _, quantile = part.strip().partition(":")
        if name not in STRATEGIES or (quantile and name != "moderate"):
            Choice(STRATEGIES).convert(part.strip(), None, None)
        found.append((name, written(options.share(quantile or "0.5"))))
    return list(dict.fromkeys(found))


def _write_records(destination: str, lines: list[Line]) -> None:
    write_table(destination, as_table(lines))


FORMATS: dict[str, Callable[[str, list[Line]], None]] = {
    **dict.fromkeys(TABLE_FORMATS, _write_records),
    **dict.fromkeys(SUFFIXES, draw_curves),
}


@click.command(cls=options.Sectioned)
@options.data_required
@options.option(
    "--test",
    type=options.PATH,
    metavar="DIR",
    help="Dataset to judge by; its features lie in DIR.moderate, or with --store in STORE-test."
    "  [default: a fifth of DATA]",
)
@options.option(
    "--with",
    "evaluator",
    type=Choice(EVALUATORS),
    default="probe",
    help="A linear head on the features, a network that is trained from scratch, or the backbone"
    " of the features, trained on.",
)
@options.option(
    "--network",
    type=Choice(NETWORKS, WHERE),
    metavar="NAME",
    default=SMALL,
    help="What --with train trains: cnn, for small pictures, or a torchvision classifier.",
)
@options.option(
    "--steps",
    type=Whole(min=1, max=10**7),
    help=f"Batches of {BATCH} images to train on, for each selection.  [default:"
    f" {STEPS['train']}, or {STEPS['fine-tune']} to fine-tune]",
)
@options.option(
    "--size",
    type=Whole(min=8, max=4096),
    help="Pixels a side to train on.  [default: 32, or what the backbone wants]",
)
@options.option(
    "-r",
    "--ratio",
    "ratios",
    type=options.ratios,
    metavar="R[,R...]",
    default="0.1,0.3,0.5",
    help="Fractions to keep.",
)
@options.option(
    "--strategy",
    "strategies",
    type=_strategies,
    metavar="NAME[,NAME...]",
    default="moderate,random,matching,trimmed",
    meanings=("Strategies", KEPT),
    help="What to compare; see Strategies. moderate:Q has its window at another quantile.",
)
@options.option(
    "--drop-suspects",
    type=options.fraction,
    metavar="auto|F",
    help="Compare each with suspects left out, too, as select does it.",
)
@options.option("--seeds", type=Whole(min=1, max=1000), default=5, help="How often to repeat it.")
@options.option(
    "--within",
    type=options.points,
    metavar="P%",
    help="Name the fewest images that stay so near the accuracy of all of them.",
)
@options.option("--scope", type=Choice(SCOPES), help="As in select.")
@options.option("--csv", is_flag=True, help="Write the table to stdout as csv, in fractions.")
@options.option("--json", is_flag=True, help="The same as JSON.")
@options.option(
    "-o",
    "--output",
    "outputs",
    command_line_only=True,
    type=options.PATH,
    multiple=True,
    metavar="FILE",
    help="Write to a .csv, .json or .txt file, or curves to a .png or .svg file, too.",
)
@options.scoring
@options.embedding
@options.configuration
def command(
    data: str,
    test: str | None,
    evaluator: str,
    network: str,
    steps: int | None,
    size: int | None,
    ratios: dict[str, Fraction],
    strategies: list[tuple[str, str]],
    drop_suspects: Fraction | Literal["auto"] | None,
    seeds: int,
    within: float | None,
    scope: str | None,
    csv: bool,
    json: bool,
    outputs: tuple[str, ...],
    criterion: str,
    center: str,
    metric: str,
    seed: int,
    **embedding: Any,
) -> None:
    """Compare strategies by what a classifier learns from what they keep.

    The classifier is a linear head on the features, with the strength of its penalty chosen on the
    kept images alone. It takes seconds; it under-rewards variety, which a network that is trained
    from scratch needs more. --with train trains one, which takes seconds to minutes for each
    selection, and is the verdict that counts: as many steps for each, test images used for no
    choice. --with fine-tune goes on from the backbone's weights.

    Each seed selects from other four fifths of DATA. Finished parts are kept: an interrupted
    evaluation goes on where it stopped.
    """
    if csv and json:
        raise click.UsageError("--csv and --json exclude each other")
    writers = _writers(outputs)
    recipe = _recipe(evaluator, network, steps, size, **embedding)
    reads = Outputs(outputs, inputs=inputs_of(embedding))
    reads.check()
    scoring: dict[str, Any] = {"center": center, "metric": metric, "seed": seed}
    if not options.left_alone("criterion"):
        scoring["criterion"] = criterion

    def listed(dataset: Dataset) -> None:
        check_comparable(dataset.labels, held_out=test is None)
        if scoring.get("criterion") is not None:
            check_compared(scoring["criterion"], dataset.labels)
        if test is None or "://" in test:  # listed once only
            return
        judged = scan(test)
        reads.check(judged)
        if embedding["on_error"] == "fail":  # classes of unreadable images do not count
            _check_classes(test, judged.classes, judged.labels, dataset.classes)

    own = _own(data, listed=listed, outputs=reads, **embedding)
    judge = None if test is None else _judge(test, own, outputs=reads, **embedding)
    context = {
        "data": own.store.manifest.sums,  # the set may be replaced meanwhile
        "with": evaluator if recipe is None else recipe.changes,
        "test": judge and judge.store.manifest.sums,
        "scope": scope,
        **scoring,
    }
    ledger = Ledger(own.store.folder / "evaluations.jsonl", context)
    shares = [written(ratio) for ratio in ratios.values()]
    cells = _cells(strategies, shares, drop_suspects, range(seed, seed + seeds))
    missing = [cell for cell in cells if cell not in ledger.results]
    if missing:
        for one in (own, judge):
            if one is not None:
                one.features.check()
        found = evaluate(
            own.features,
            missing,
            _learner(own, judge, recipe),
            test=judge and judge.features,
            scoring=scoring,
            selecting={"scope": scope},
        )
        with console.progress("evaluate", unit="cell") as move:
            for done, (cell, result) in enumerate(found, len(cells) - len(missing) + 1):
                ledger.add(cell, result)
                move(done, len(cells))
    lines = summarize({cell: ledger.results[cell] for cell in cells})
    for output, write in zip(outputs, writers, strict=True):
        write(output, lines)
    if csv or json:
        console.write(formatted(as_table(lines), ".csv" if csv else ".json"))
    else:
        header, *rows = _shown(lines)
        console.write(console.table(header, rows).encode())
    if within is not None:
        console.note(_advice(smallest_within(lines, within), within))


def _recipe(
    evaluator: str, network: str, steps: int | None, size: int | None, **embedding: Any
) -> Recipe | None:
    if evaluator == "probe":
        options.refuse_beside("--with probe", {"network", "steps", "size"})
        return None
    steps, device = steps or STEPS[evaluator], embedding["device"]
    if evaluator == "train":
        return Recipe(network, steps, size or 32, device=device)
    options.refuse_beside("--with fine-tune", {"network"})
    backbones = embedding["backbones"]
    if len(backbones) > 1 or backbones[0] not in CLASSIFIERS:
        raise click.UsageError("--with fine-tune wants one --backbone, with weights")
    return Recipe(
        backbones[0], steps, size or 0, tuned=True, weights=embedding["weights"], device=device
    )


def _writers(outputs: tuple[str, ...]) -> list[Callable[[str, list[Line]], None]]:
    """Find fault before minutes of training, not after."""
    writers = [check_output(output, FORMATS) for output in outputs]
    for output, write in zip(outputs, writers, strict=True):
        if write is draw_curves:
            check_drawable(output)
    return writers


class _Set(NamedTuple):
    """Images, and their features with labels."""

    dataset: Dataset
    store: FeatureStore
    features: LabeledFeatures


def _own(data: str, **embedding: Any) -> _Set:
    dataset, store = feature_set_of(data, "evaluate", **embedding)
    return _Set(dataset, store, LabeledFeatures.of(store))


def _judge(test: str, own: _Set, **embedding: Any) -> _Set:
    """Embed a test set, and number its classes as those of the data."""
    embedding["store"] = embedding["store"] and f"{embedding['store']}-test"
    found = _own(test, **embedding)
    names, labels = found.features.classes, found.features.labels
    _check_classes(test, names, labels[found.features.readable], own.features.classes)
    numbers = {name: number for number, name in enumerate(own.features.classes)}
    renumbered = np.array([numbers.get(name, -1) for name in names])[labels]
    return found._replace(features=replace(found.features, labels=renumbered))


def _check_classes(test: str, names: Sequence[str], labels: Rows, known: Sequence[str]) -> None:
    """Refuse images of a test set of a class that the data does not have."""
    used, classes = np.unique(labels).tolist(), frozenset(known)
    unknown = [names[label] for label in used if names[label] not in classes]
    if unknown:
        raise DatasetError(f"{test}: its class {unknown[0]!r} is none of the data's; name others")


def _learner(own: _Set, judge: _Set | None, recipe: Recipe | None) -> Learner:
    if recipe is None:
        return ProbeLearner(own.features, judge and judge.features)
    # torch takes seconds to load; a linear head does not need it.
    from moderate_cli.evaluation.training import Pictures, TrainLearner, read_pictures

    def pictures(one: _Set) -> Pictures:
        features, most = one.features, one.store.manifest.max_pixels
        return read_pictures(one.dataset, features.labels, features.readable, recipe, most)

    return TrainLearner(pictures(own), judge and pictures(judge), recipe)


def _cells(
    strategies: list[tuple[str, str]],
    ratios: list[str],
    drop_suspects: Fraction | Literal["auto"] | None,
    seeds: range,
) -> list[Cell]:
    """List what is to be compared, seed by seed; random selection and the full set always.

    A strategy that leaves suspects out by itself stands there once.
    """
    if ("random", "0.5") not in strategies:
        strategies = [*strategies, ("random", "0.5")]
    return [
        cell
        for seed in seeds
        for dropped in (("",) if drop_suspects is None else ("", _text(drop_suspects)))
        for cell in (
            Cell(FULL, "1", dropped, seed),
            *(
                Cell(name, ratio, dropped, seed, quantile)
                for ratio in ratios
                for name, quantile in strategies
                if not (dropped and preparation_for(name).drop_suspects == dropped)
            ),
        )
    ]


def _text(drop_suspects: Fraction | Literal["auto"]) -> str:
    return "auto" if drop_suspects == "auto" else written(drop_suspects)


def _shown(lines: list[Line]) -> list[tuple[str, ...]]:
    """Percentages, for a reader."""
    header = ("strategy", "suspects", "ratio", "images", "accuracy", "to random", "worst class")
    rows = [
        (
            line.cell.name,
            {"": "kept", "auto": "dropped"}.get(line.cell.dropped, f"{line.cell.dropped} dropped"),
            line.cell.ratio,
            str(line.images),
            _percent(line.accuracy),
            "" if _is_baseline(line.cell) else _percent(line.to_random, sign="+"),
            f"{100 * line.worst_class.mean:.1f}",
        )
        for line in lines
    ]
    return [header, *rows]


def _is_baseline(cell: Cell) -> bool:
    return cell.strategy == FULL or (cell.strategy == "random" and not cell.drop_suspects)


def _percent(estimate: Estimate, sign: str = "") -> str:
    half = "" if np.isnan(estimate.half) else f" ± {100 * estimate.half:.1f}"
    return f"{100 * estimate.mean:{sign}.1f}{half}"


def _advice(best: Line | None, within: float) -> str:
    points = f"{100 * within:g}"
    limit = f"{points} {'point' if points == '1' else 'points'} of the full set's accuracy"
    if best is None:
        return f"nothing that was compared is sure to stay within {limit}"
    cell = best.cell
    asked = {"ratio": cell.ratio, "strategy": cell.strategy}
    if cell.quantile != "0.5":
        asked["quantile"] = cell.quantile
    if cell.drop_suspects:
        asked["drop-suspects"] = cell.drop_suspects
    given = click.get_current_context().params
    asked |= {
        name: str(given[name])
        for name in ("scope", "criterion", "center", "metric", "seed")
        if not options.left_alone(name)
    }
    if cell.strategy in PICKS:
        asked.pop("scope", None)  # it works in each class, whatever the scope of others
    selection = " ".join(f"--{name} {value}" for name, value in asked.items())
    return f"{selection} stays within {limit}: {_percent(best.to_full, sign='+')}"
