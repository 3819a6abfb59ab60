"""The table of own features: each way is judged by one judge on one test set."""

from functools import partial

import pytest
from conftest import paint

from moderate_cli.evaluation.recipe import Recipe
from tests.benchmarks import own_features
from tests.benchmarks.own_features import Figure, How
from tests.benchmarks.tables import patches
from tests.benchmarks.tables.data import Data


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Four classes of gray levels, 20 training and 5 test images each."""
    monkeypatch.setattr(patches, "DRAWN", 500)
    monkeypatch.setattr(own_features, "default_epochs", lambda *_: 2)
    for part, images in (("train", 20), ("test", 5)):
        for label, name in enumerate("abcd"):
            for image in range(images):
                paint(tmp_path / "data" / part / name / f"{image:02}.png", 50 * label + 2 * image)
    (tmp_path / "work").mkdir()
    return Data("cifar100", tmp_path / "data", tmp_path / "work", "pixels")


def measured(data, judge):
    how = How(per_class=20, network="cnn", folds=1, judge=judge, device="cpu")
    own_features._prepare(data, ["20 % wrong"], how)
    return own_features._measured(data, "20 % wrong", 0, how)


def test_a_kernel_learner_judges_all_ways_and_ratios(data):
    found = measured(data, own_features.PATCHES)
    ways = {(one.way, one.features) for one in found}
    assert len(ways) == 1 + 2 * len(own_features.WAYS) + 2  # random, two feature sets, and both
    assert len(found) == len(ways) * len(own_features.RATIOS)


def test_a_network_judges_some_ways_and_all_images(data, monkeypatch):
    judge = partial(Recipe, "cnn", 2, 32)
    monkeypatch.setattr(
        own_features, "Recipe", lambda *_, device, batch: judge(device=device, batch=batch)
    )
    found = {(one.way, one.features): one for one in measured(data, own_features.NETWORK)}
    assert set(found) > own_features.NETWORK_WAYS
    assert found[own_features.EVERY, ""].spoiled == 0.2
    assert found[own_features.ORACLE, ""].spoiled == 0.0


def test_a_cell_has_the_mean_difference_to_random_and_its_interval():
    def drawn(way, *reached):
        return [
            Figure("clean", way, "", "0.2", seed, accuracy, 0.0)
            for seed, accuracy in enumerate(reached)
        ]

    figures = [*drawn("random", 0.2, 0.3, 0.4), *drawn("adaptive", 0.3, 0.4, 0.5)]
    table = own_features.shown(figures)
    assert table[-1] == "| clean | adaptive |  | 40.0, +10.0 ± 0.0 |"


def test_published_figures_are_compared_with_published_ones():
    found = [Figure("20 % wrong", way, "", "0.2", 0, 0.2, 0.0) for way in ("random", "adaptive")]
    clean = [one._replace(scenario="clean") for one in found]
    rows = own_features.shown([*found, *clean, *own_features._published(found)])[2:]
    assert "| 20 % wrong | the paper's window | published | 40.2, +5.8 |" in rows
    assert [row.split(" | ")[0] for row in rows] == 5 * ["| 20 % wrong"] + 2 * ["| clean"]
