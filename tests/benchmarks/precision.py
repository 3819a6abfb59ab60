"""What each precision and runtime gains, and what it changes in what is kept.

python -m tests.benchmarks.precision DATA
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import numpy as np

import moderate_cli
from moderate_cli.dataset import Dataset
from tests.benchmarks.embedding import usual_loop
from tests.benchmarks.page import PAGE, write_option
from tests.listeners import Told
from tests.marked import put_row

RATIO = 0.3
VARIANTS = (
    {"runtime": "torch", "precision": "float32", "dtype": "float32"},
    {"runtime": "torch", "precision": "float32", "dtype": "float16"},
    {"runtime": "torch", "precision": "bfloat16", "dtype": "float16"},
    {"runtime": "openvino", "precision": "float32", "dtype": "float16"},
    {"runtime": "openvino", "precision": "bfloat16", "dtype": "float16"},
)


class Row(NamedTuple):
    """Images per second; distances; kept rows in each scope."""

    name: str
    rate: float
    distances: np.ndarray
    kept: dict[str, np.ndarray]


@click.command()
@click.argument("data", type=click.Path(exists=True))
@write_option
def main(data: str, write: bool) -> None:
    """Compare each variant with the usual loop, on all images of a dataset."""
    dataset = moderate_cli.scan(data)
    print(
        f"| runtime, precision, dtype | images/s | against the usual loop"
        f" | same kept at {RATIO}, global | class | rank correlation of distances |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    reference = None
    for row in _rows(dataset):
        reference = reference or row
        same = [
            f"{np.mean(row.kept[scope][reference.kept[scope]]):.2%}"
            for scope in ("global", "class")
        ]
        line = (
            f"| {row.name} | {row.rate:.0f} | {row.rate / reference.rate:.1f} | {same[0]}"
            f" | {same[1]} | {_spearman(row.distances, reference.distances):.6f} |"
        )
        print(line, flush=True)
        if write:
            put_row(PAGE, "precision", line)


def _rows(dataset: Dataset) -> Iterator[Row]:
    labels = dataset.labels
    start = time.perf_counter()
    features = usual_loop(Path(dataset.root), np.arange(len(dataset)), "efficientnet_lite0")
    rate = len(dataset) / (time.perf_counter() - start)
    scores = moderate_cli.Scores(moderate_cli.score_features(features, labels), labels)
    yield _row("the usual loop, float32", rate, scores)
    for variant in VARIANTS:
        timings = []
        with TemporaryDirectory() as store:
            scores = moderate_cli.score(
                moderate_cli.embed(
                    dataset,
                    store=store,
                    device="cpu",
                    listener=Told(timed=timings),
                    **variant,
                )
            )
        rate = timings[0].images / timings[0].elapsed
        yield _row(", ".join(variant.values()), rate, scores)


def _row(name: str, rate: float, scores: moderate_cli.Scores) -> Row:
    kept = {
        scope: moderate_cli.select_scores(scores, ratio=RATIO, scope=scope)
        for scope in ("global", "class")
    }
    return Row(name, rate, scores.values, kept)


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    main()
