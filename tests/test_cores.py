"""Scores, selections, suspects and duplicates are the same bytes on any number of processors."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from moderate_cli import find_suspects, score_features, select_scores, threads
from moderate_cli.label_errors import noise, suspects, transitions
from moderate_cli.scoring import (
    CENTERS,
    axes,
    centers,
    criteria,
    cross_fitting,
    linear_head,
    margins,
    neighbors,
    of_features,
    prototypes,
    ridge,
)
from moderate_cli.selection import STRATEGIES, duplicates, selecting
from moderate_cli.selection.duplicates import find_duplicates

COUNTS = (1, 2, 4, 16)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    for module in (axes, criteria, linear_head, margins, prototypes, ridge, suspects, duplicates):
        monkeypatch.setattr(module, "BLOCK_ROWS", 37)
    for module in (neighbors, duplicates):
        monkeypatch.setattr(module, "REFERENCE_ROWS", 50)
    monkeypatch.setattr(neighbors, "QUERY_ROWS", 20)
    monkeypatch.setattr(selecting, "TASK_ROWS", 40)
    monkeypatch.setattr(cross_fitting, "LARGE", 0)
    monkeypatch.setattr(threads, "WORTH", 1)
    monkeypatch.setattr(threads, "STEPS", 1)
    monkeypatch.setattr(threads, "ALONE", 0.0)
    monkeypatch.setattr(noise, "BLOCK_NUMBERS", 60)
    monkeypatch.setattr(transitions, "LABELS_AT_ONCE", 2)
    monkeypatch.setattr(ridge, "SAMPLE_ROWS", 30)


@pytest.fixture
def data(rng):
    """Features of 9 classes, some of them equal, and some wrong labels."""
    labels = np.arange(400) % 9
    points = np.abs(rng.standard_normal((9, 12))[labels] + 0.5 * rng.standard_normal((400, 12)))
    points[350:] = points[:50]
    labels[:30] = (labels[:30] + 1) % 9
    return points.astype(np.float32), labels


def on_each_count(monkeypatch, work):
    """The bytes of a result, on each number of processors."""
    found = []
    for count in COUNTS:
        for module in (threads, centers):
            monkeypatch.setattr(module, "processors", lambda count=count: count)
        found.append([np.ascontiguousarray(one).tobytes() for one in work()])
    return found


@pytest.mark.parametrize("criterion", of_features())
def test_scores_do_not_depend_on_the_number_of_processors(criterion, data, monkeypatch):
    for center in CENTERS if criterion == "center" else ("mean",):
        how = {"criterion": criterion, "center": center}
        found = on_each_count(monkeypatch, lambda how=how: [score_features(*data, **how)])
        assert found == found[:1] * len(COUNTS)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_selections_do_not_depend_on_the_number_of_processors(strategy, data, monkeypatch, rng):
    features, labels = data
    values = rng.standard_normal(len(labels))
    how = {"strategy": strategy, "features": features, "criterion": STRATEGIES[strategy].criterion}
    for ratio in (0.1, 0.6):
        found = on_each_count(
            monkeypatch, lambda ratio=ratio: [select_scores(values, labels, ratio=ratio, **how)]
        )
        assert found == found[:1] * len(COUNTS)


def test_suspects_do_not_depend_on_the_number_of_processors(data, monkeypatch):
    def find():
        found = find_suspects(*data)
        assert not found.hardly_known
        return found.probability, found.looks_like

    found = on_each_count(monkeypatch, find)
    assert found == found[:1] * len(COUNTS)


def test_duplicates_do_not_depend_on_the_number_of_processors(data, monkeypatch):
    def find():
        found = find_duplicates(data[0], np.arange(400), 0.97)
        assert len(found.rows) >= 50
        return found

    found = on_each_count(monkeypatch, find)
    assert found == found[:1] * len(COUNTS)


@pytest.mark.parametrize(
    "work",
    [
        lambda features, labels: score_features(features, labels, criterion="aum"),
        lambda features, labels: score_features(features, labels, criterion="margin"),
        lambda features, labels: find_suspects(features, labels),
        lambda features, labels: find_duplicates(features, np.arange(len(labels)), 0.9),
        lambda features, labels: select_scores(
            np.zeros(len(labels)), labels, ratio=0.5, strategy="herding", features=features
        ),
    ],
)
def test_blas_has_one_thread_wherever_it_is_computed(work, data, monkeypatch):
    seen = set()
    matmul = np.linalg.eigh, np.vecdot, np.argpartition

    def watched(function):
        def call(*args, **kwargs):
            seen.update(
                one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"
            )
            return function(*args, **kwargs)

        return call

    for function in matmul:
        monkeypatch.setattr(
            np.linalg if function is np.linalg.eigh else np, function.__name__, watched(function)
        )
    with threadpool_limits(2, user_api="blas"):
        work(*data)
    assert seen == {1}
