from dataclasses import replace

import numpy as np
import pytest

from moderate_cli.evaluation import FULL, Cell, ProbeLearner, judge
from moderate_cli.selection import Choice

BASE = Choice(ratio=1)


def test_cells_are_judged_on_what_they_did_not_see(source):
    labels = source.labels
    cells = [Cell(FULL, "1", "", 0), Cell("moderate", "0.2", "", 0, "0.25")]
    asked = []

    def learn(rows, held_out, seed):
        asked.append((len(rows), seed))
        return np.where(labels[held_out] == 3, 0, labels[held_out])

    found = dict(judge(source, cells, learn, BASE))
    # 19 of 99 are held out, two of them of the last class.
    assert found == {cells[0]: (80, 17 / 19, 0), cells[1]: (16, 17 / 19, 0)}
    assert asked == [(80, 0), (16, 0)]


def held_out_parts(source, seeds, test=None):
    parts = []

    def learn(rows, held_out, seed):
        parts.append(held_out)
        return np.zeros(len(held_out) if test is None else len(test.labels), dtype=np.int64)

    cells = [Cell(FULL, "1", "", seed) for seed in seeds]
    list(judge(source, cells, learn, Choice(ratio=1, seed=seeds[0]), test=test))
    return parts


def test_five_seeds_hold_out_other_images_and_the_sixth_begins_anew(source):
    parts = held_out_parts(source, range(7, 13))
    assert len(np.unique(np.concatenate(parts[:5]))) == 5 * 19
    assert 0 < len(np.intersect1d(parts[0], parts[5])) < 19
    # The same seed alone, as when an evaluation goes on.
    cells, asked = [Cell(FULL, "1", "", 9)], []

    def learn(rows, held_out, seed):
        asked.append(held_out)
        return np.zeros(len(held_out), dtype=np.int64)

    list(judge(source, cells, learn, Choice(ratio=1, seed=7)))
    assert np.array_equal(asked[0], parts[2])


def test_with_a_test_set_pools_are_independent(source):
    (data,) = source.sets
    data = replace(data, features=data.features[:100], readable=np.ones(100, dtype=bool))
    parts = held_out_parts(source, range(3), data)
    assert len(np.unique(np.concatenate(parts))) < 3 * 19


def judged_with(source, believed, predicted):
    cell = Cell(FULL, "1", "", 0)
    learn = lambda rows, held_out, seed: predicted(held_out)  # noqa: E731
    ((_, result),) = judge(source, [cell], learn, BASE, believed=believed)
    return result.accuracy, result.worst_class


def test_held_out_labels_count_as_far_as_they_are_believed(source):
    labels = source.labels
    weights = np.where(labels == 3, 0.25, 1.0)

    def without_the_last_class(held_out):
        return np.where(labels[held_out] == 3, 0, labels[held_out])

    # 17 of 19 held-out images are right, and the two others count half together.
    assert judged_with(source, weights, without_the_last_class) == (17 / 17.5, 1.0)
    # Suspects that abstain: all count alike.
    assert judged_with(source, np.ones(100), without_the_last_class) == (17 / 19, 0)
    assert judged_with(source, None, without_the_last_class) == (17 / 19, 0)
    # A class that is believed for the most counts as the worst one.
    weights[labels == 3] = 0.5
    assert judged_with(source, weights, without_the_last_class) == (17 / 18, 0)
    # Where all is doubted, there is nothing else to judge by.
    assert judged_with(source, np.full(100, 0.01), without_the_last_class) == (
        pytest.approx(17 / 19),
        0,
    )


def test_rounding_makes_no_accuracy_more_than_one(source, rng):
    for _ in range(50):
        weights = rng.random(100)
        assert judged_with(source, weights, lambda rows: source.labels[rows]) == (1, 1)


def test_a_test_set_takes_the_place_of_the_part_held_out(source):
    (data,) = source.sets
    learner = ProbeLearner(data, data)
    ((_, result),) = judge(source, [Cell(FULL, "1", "", 0)], learner, BASE, test=data)
    assert result.images == 80
    assert result.accuracy > 0.9
