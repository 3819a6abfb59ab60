"""What features of a network trained on the dataset bring: the paper's window and other ways.

python -m tests.benchmarks.own_features DATA --work DIR

DATA has the ImageFolders train and test of small pictures, such as CIFAR-100; some images per class
are drawn. A network is trained on them with their given labels, as `moderate fit` does
it. Each way selects by the features of that network, and by those of the default backbone; a kernel
learner is trained from scratch on each selection, and judged on the test set.

On a GPU, --per-class 500 --network resnet9 trains on all of CIFAR-100. A ResNet-9 is known to reach
60 % on the test set with 20 % wrong labels, so the accuracy on held-out labels that is printed, of
which 20 % are wrong, should be near 48 %; much less means that the network is badly trained.

Differences to the paper: a ResNet-9 in place of a ResNet-50, fewer epochs, and a kernel learner as
the judge.
"""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from moderate_cli.choosing import Chooser
from moderate_cli.evaluation import ProbeLearner
from moderate_cli.fitting.examples import Examples
from moderate_cli.fitting.learning import Training, learn
from moderate_cli.fitting.plan import default_epochs
from moderate_cli.inputs import Source
from moderate_cli.networks.backbones import find_device
from moderate_cli.networks.fitted import Fitted
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import Choice
from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.tables.data import Data
from tests.benchmarks.tables.scenarios import SCENARIOS, Scenario, draw
from tests.marked import put_row

SIZE = 32
WRONG = {
    "clean": SCENARIOS["clean"],
    "20 % wrong": SCENARIOS["symmetric-20"],
    "35 % wrong": Scenario("35 % wrong labels", symmetric=0.35),
}
RATIOS = ("0.2", "0.3", "0.4", "0.6", "0.8")  # of the paper
WAYS: dict[str, dict[str, Any]] = {
    "the paper's window": {"strategy": "moderate", "scope": "global"},
    "the window in each class": {"strategy": "moderate", "scope": "class"},
    "matching": {"strategy": "matching"},
    "matching-unscaled": {"strategy": "matching-unscaled"},
    "adaptive": {"strategy": "adaptive"},
}


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--per-class", default=200, help="Images drawn of each class.")
@click.option("--network", default="resnet9_narrow")
@click.option("--folds", default=1)
@click.option("--seeds", default=1)
@click.option("--device", default="auto")
@write_option
def main(
    data: Path,
    work: Path,
    per_class: int,
    network: str,
    folds: int,
    seeds: int,
    device: str,
    write: bool,
) -> None:
    """Train a network for each scenario and seed, and compare selections by its features."""
    own = Data("cifar100", data, work)
    for seed in range(seeds):
        for name, scenario in WRONG.items():
            for row in _rows(own, name, scenario, per_class, network, folds, device, seed):
                print(row, flush=True)
                if write:
                    put_row(PAGE, "own features", row, keys=4)


def _rows(
    data: Data,
    name: str,
    scenario: Scenario,
    per_class: int,
    network: str,
    folds: int,
    device: str,
    seed: int,
) -> list[str]:
    truth = data.scan("train").labels
    share = Fraction(per_class, int(np.bincount(truth).max()))
    drawn = draw(truth, np.zeros(len(truth), dtype=np.bool_), scenario, share, seed)
    pixels, n = data.pictures("train", SIZE, drawn.rows), len(drawn.rows)
    digests = np.frombuffer(
        b"".join(int(row).to_bytes(16, "big") for row in drawn.rows), dtype=np.uint8
    ).reshape(n, 16)
    examples = Examples(pixels, drawn.labels, int(drawn.labels.max()) + 1, digests)
    epochs = default_epochs(network, n)
    training = Training(network, SIZE, folds, epochs, seed, find_device(device))
    begun = time.perf_counter()
    fitted, right, judged = learn(training, examples, None, None, lambda _: None, lambda *_: None)
    seconds = time.perf_counter() - begun
    features = _features(fitted, pixels, digests, training.device)
    print(
        f"{network}, {name}: {right / judged:.3f} of held-out labels in {seconds:.0f} s", flush=True
    )
    default = np.asarray(data.features("train")[drawn.rows])
    sets = {"own": (features,), "default": (default,), "both": (features, default)}
    every = np.ones(n, dtype=np.bool_)
    encoded = LabeledFeatures(data.encoded("train")[drawn.rows], drawn.labels, every)
    target = data.scan("test").labels
    judge = ProbeLearner(
        encoded, LabeledFeatures(data.encoded("test"), target, np.ones(len(target), np.bool_))
    )
    rows, none = [], np.empty(0, dtype=np.int64)

    def row(way: str, kind: str, kept: list[np.ndarray]) -> str:
        wrong = [f"{100 * drawn.spoiled[some].mean():.1f}" for some in kept]
        reached = [f"{100 * np.mean(judge(some, none, seed) == target):.1f}" for some in kept]
        cells = " | ".join(
            f"{one} ({other} % wrong)" for one, other in zip(reached, wrong, strict=True)
        )
        return f"| {name} | {seed} | {way} | {kind} | {cells} |"

    rng = np.random.default_rng(seed)
    random = [np.sort(rng.choice(n, round(float(ratio) * n), replace=False)) for ratio in RATIOS]
    rows.append(row("random", "", random))
    for kind, some in sets.items():
        chooser = Chooser(Source(tuple(LabeledFeatures(one, drawn.labels, every) for one in some)))
        for way, how in WAYS.items():
            if len(some) == 1 or how["strategy"] == "moderate":  # others take one feature set
                kept = [chooser.choose(Choice(ratio=ratio, **how)).rows for ratio in RATIOS]
                rows.append(row(way, kind, kept))
    return rows


def _features(
    fitted: Fitted, pixels: torch.Tensor, digests: np.ndarray, device: torch.device
) -> np.ndarray:
    module, preprocessing, _ = fitted.module()
    mean, std = (
        torch.tensor(one).view(1, 3, 1, 1) for one in (preprocessing.mean, preprocessing.std)
    )
    module = module.to(device)
    with torch.inference_mode():
        found = torch.cat(
            [module(((part.float() - mean) / std).to(device)).cpu() for part in pixels.split(500)]
        ).numpy()
    return fitted.of_folds(found, digests)


if __name__ == "__main__":
    main()
