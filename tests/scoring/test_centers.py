"""Centers that can be worked out by hand, and how a class is read."""

import math

import numpy as np
import pytest
from naive import center

from moderate_cli.scoring import centers
from moderate_cli.scoring.centers import (
    CENTERS,
    METRICS,
    center_distances,
    geometric_median,
)


def median_of(points, start, **options):
    array = np.array(points, dtype=float)
    return geometric_median(lambda: iter([array]), np.array(start, dtype=float), **options)


@pytest.mark.parametrize("start", [(0.3, 0.2), (0, 0), (4, 0), (1, 1), (9, 9)])
@pytest.mark.parametrize(
    ("points", "median"),
    [
        # Of four corners it is where the diagonals meet.
        ([(0, 0), (4, 0), (4, 2), (0, 2)], (2, 1)),
        ([(0, 0), (4, 0), (1, 1), (0, 4)], (1, 1)),
        # An angle of 120 degrees or more is the median itself.
        ([(0, 0), (4, 0), (-4, 1)], (0, 0)),
        ([(0, 0), (0, 0), (4, 0), (1, 1)], (0, 0)),
        ([(0, 0), (4, 0), (9, 0)], (4, 0)),
        ([(7, 7)], (7, 7)),
    ],
)
def test_the_geometric_median_is_found_from_anywhere(points, median, start):
    np.testing.assert_allclose(median_of(points, start), median, atol=1e-5)


def test_the_geometric_median_of_an_equilateral_triangle_is_its_middle():
    corners = [(0, 0), (2, 0), (1, math.sqrt(3))]
    found = median_of(corners, (0, 0))
    np.testing.assert_allclose(found, (1, 1 / math.sqrt(3)), atol=1e-9)


def test_a_point_that_is_there_twice_counts_twice():
    # Two points with the weights 2 and 1: the heavier one.
    np.testing.assert_allclose(median_of([(0, 0), (0, 0), (3, 0)], (1, 0)), (0, 0), atol=1e-5)
    np.testing.assert_allclose(median_of([(0, 0), (0, 0), (3, 0)], (3, 0)), (0, 0), atol=1e-5)


def test_the_median_of_two_points_is_where_it_began_between_them():
    found = median_of([(0, 0), (4, 0)], (1, 0))
    np.testing.assert_allclose(found, (1, 0), atol=1e-12)


def test_blocks_are_read_together():
    one, other = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([[4.0, 2.0], [0.0, 2.0]])
    found = geometric_median(lambda: iter([one, other]), np.array([0.3, 0.2]))
    np.testing.assert_allclose(found, (2, 1), atol=1e-6)


def test_steps_are_counted_and_may_be_few():
    points = [(0, 0), (4, 0), (4, 2), (0, 2)]
    passes = []

    def blocks():
        passes.append(1)
        return iter([np.array(points, dtype=float)])

    none = geometric_median(blocks, np.array([0.3, 0.2]), max_steps=0)
    assert (none.tolist(), len(passes)) == ([0.3, 0.2], 0)
    one = geometric_median(blocks, np.array([0.3, 0.2]), max_steps=1)
    assert len(passes) == 1
    # One step of Weiszfeld: the mean of the points with weights of one over their distance.
    weights = np.array([1 / math.dist(point, (0.3, 0.2)) for point in points])
    np.testing.assert_allclose(one, weights @ np.array(points) / weights.sum())
    geometric_median(blocks, np.array([0.3, 0.2]), tolerance=0.1)
    assert 1 < len(passes) < 20


def test_a_step_that_is_short_beside_the_mean_distance_is_not_taken():
    points, start = [(0, 0), (4, 0), (4, 2), (0, 2)], (0.3, 0.2)
    length = math.dist(median_of(points, start, max_steps=1), start)
    share = length / np.mean([math.dist(point, start) for point in points])
    assert median_of(points, start, tolerance=1.01 * share).tolist() == list(start)
    assert median_of(points, start, tolerance=0.99 * share).tolist() != list(start)


def test_a_step_from_one_of_the_points_is_pulled_back_to_it():
    # The others, at distances of 2 and 1, pull by (1, 0) and (0, 1): sqrt(2) in all, of which the
    # point holds back 1. Without it the step would be to the mean with weights of 1/2 and 1.
    points = [(0, 0), (2, 0), (0, 1)]
    step = (1 - 1 / math.sqrt(2)) * 2 / 3
    np.testing.assert_allclose(median_of(points, (0, 0), max_steps=1), (step, step))
    # Two points hold back 2, which is more than the pull.
    assert median_of([(0, 0), *points], (0, 0), max_steps=1).tolist() == [0, 0]
    # A weaker pull than 1 moves nothing either: both sides of the point pull alike.
    assert median_of([(0, 0), (1, 0), (-1, 0)], (0, 0), max_steps=1).tolist() == [0, 0]
    assert median_of([(0, 0), (1, 0), (-1, 1)], (0, 0), max_steps=1).tolist() == [0, 0]


@pytest.mark.parametrize("kind", CENTERS)
@pytest.mark.parametrize(("block", "strip", "held"), [
    (1 << 22, 1 << 17, 1 << 28), (8, 1, 1), (200, 40, 1000), (200, 40, 1 << 20)
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_centers_are_the_same_however_a_class_is_read(kind, block, strip, held, dtype, monkeypatch):
    monkeypatch.setattr(centers, "BLOCK_BYTES", block)
    monkeypatch.setattr(centers, "STRIP_BYTES", strip)
    monkeypatch.setattr(centers, "HELD_BYTES", held)
    features = np.random.default_rng(3).standard_normal((40, 5)).astype(dtype)
    before = features.copy()
    classes = [np.arange(3, 20), np.array([0, 2, 21, 39]), np.array([1]), np.arange(22, 38, 2)]
    expected = np.stack([center(features[rows], kind) for rows in classes])
    for metric in METRICS:
        found = center_distances(features, classes, kind, metric)
        for rows, middle, own in zip(classes, expected, found, strict=True):
            points = features[rows].astype(np.float64)
            distances = [
                math.dist(point, middle)
                if metric == "euclidean"
                else 1 - point @ middle / np.linalg.norm(point) / np.linalg.norm(middle)
                for point in points
            ]
            np.testing.assert_allclose(own, distances, atol=1e-7)
    assert np.array_equal(features, before)


def test_a_cosine_is_between_0_and_2():
    # By rounding, the cosine of (0.1, 0.3) and itself may be above 1.
    features = np.array([[0.1, 0.3]] * 3 + [[-0.3, -0.9]])
    (found,) = center_distances(features, [np.arange(3)], "mean", "cosine")
    assert np.all((found >= 0) & (found < 1e-12))
    (found,) = center_distances(features, [np.arange(4)], "median", "cosine")
    assert found.max() == pytest.approx(2)
    assert found.max() <= 2


def test_names_are_those_that_the_command_line_offers():
    assert list(CENTERS) == ["mean", "median", "geometric-median"]
    assert list(METRICS) == ["euclidean", "cosine"]


def test_a_feature_that_is_not_finite_gives_such_a_distance_and_no_warning():
    features = np.array([[np.inf, 0.0], [1.0, 0.0], [1e200, 0.0], [-1e200, 1.0]])
    one, two = center_distances(features, [np.arange(2), np.arange(2, 4)], "mean", "euclidean")
    assert not np.isfinite(one).all()
    assert not np.isfinite(two).all()
