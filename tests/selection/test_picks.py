"""Strategies that pick in one class: cases that test_strategies does not cover."""

import math

import numpy as np
import pytest

from moderate_cli.scoring import geometric_median
from moderate_cli.selection import STRATEGIES, farthest, following, picking
from moderate_cli.selection.coverage import facility_location
from moderate_cli.selection.farthest import k_center
from moderate_cli.selection.graph import graph
from moderate_cli.selection.matching import adaptive, herding, matching, matching_unscaled, median
from moderate_cli.selection.scaled import Scaled
from tests import naive

FOLLOWS = {"matching": matching, "matching-unscaled": matching_unscaled,
           "herding": herding, "adaptive": adaptive}  # fmt: skip


def followed(name):
    return lambda points, k: FOLLOWS[name](Scaled(points), k).rows


PICKS = {
    "matching": followed("matching"),
    "matching-unscaled": followed("matching-unscaled"),
    "herding": followed("herding"),
    "k-center": lambda points, k: k_center(Scaled(points), k),
    "facility-location": facility_location,
    "graph": lambda points, k: graph(points, k, np.ones(len(points))),
}


@pytest.mark.parametrize("name", PICKS)
def test_of_equal_images_the_first_are_picked(name):
    for point in ([1.0, 2.0], [0.0, 0.0]):
        picked = PICKS[name](np.array([point] * 4), 3)
        assert (picked.tolist(), picked.dtype) == ([0, 1, 2], np.int64)


@pytest.mark.parametrize("name", PICKS)
def test_all_images_can_be_picked_each_once(name):
    points = np.random.default_rng(0).random((30, 3))
    before = points.copy()
    assert sorted(PICKS[name](points, 30).tolist()) == list(range(30))
    assert PICKS[name](points[:1], 1).tolist() == [0]
    assert np.array_equal(points, before)


def test_k_center_begins_at_the_mean_and_goes_to_the_farthest():
    assert PICKS["k-center"](np.array([[0.0], [4.0], [5.0], [11.0]]), 4).tolist() == [2, 3, 0, 1]
    # The mean (3, 3) has another length than the image nearest to it.
    assert PICKS["k-center"](np.array([[9.0, 0.0], [0.0, 9.0], [0.0, 0.0]]), 1).tolist() == [2]


def test_facility_location_takes_the_images_most_similar_to_all():
    # Directions of 0, 50 and 90 degrees: the middle one is nearest to all; then 0 adds most.
    angles = np.radians([0, 50, 90])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [7], [2]]
    assert facility_location(points, 3).tolist() == [1, 0, 2]


def test_an_image_that_no_other_resembles_adds_most():
    points = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert facility_location(points, 2).tolist() == [0, 2]
    # Next to 0 degrees, 180 adds 2; 65, of which there are two, adds 0.577 three times.
    angles = np.radians([0, 0, 0, 0, 65, 65, 180])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert facility_location(points, 2).tolist() == [0, 6]


def test_a_node_gains_from_neighbors_and_loses_to_those_that_are_picked():
    # 0 and 1 are 60 degrees apart, so d^2 is 1; 2 is opposite to 0, so d^2 is 4, and 3 to 1.
    angles = np.radians([0, 60, 180])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    e = math.exp
    values = np.array([6.0, 5.9, 5.0])  # scaled: 1, 0.9 and 0
    standing = [1 + 0.9 * e(-1), 0.9 + e(-1), e(-4) + 0.9 * e(-3)]
    assert standing[0] > standing[1] > standing[2]
    assert standing[1] - e(-1) * standing[0] > standing[2] - e(-4) * standing[0]
    assert graph(points, 3, values).tolist() == [0, 1, 2]
    # Here 1 gains as much of 0, and loses it again, so 2 has more when 0 is picked.
    values = np.array([-0.5, -1.0, -0.995])  # scaled: 1, 0 and 0.01
    standing = [1 + 0.01 * e(-4), e(-1) + 0.01 * e(-3), 0.01 + e(-4)]
    assert standing[0] > standing[1] > standing[2]
    assert standing[1] - e(-1) * standing[0] < standing[2] - e(-4) * standing[0]
    assert graph(points, 2, values).tolist() == [0, 2]


def test_herding_picks_the_image_that_brings_the_mean_nearest():
    # The mean is 2, so 2 is first. Then 1, for (2 + 1) / 2 is nearer to it than (2 + 5) / 2 is.
    points = np.array([[0.0], [1.0], [5.0], [2.0]])
    assert PICKS["herding"](points, 4).tolist() == [3, 1, 2, 0]


def mean_error(points, picked):
    return np.linalg.norm(points[picked].mean(axis=0) - points.mean(axis=0))


def uneven(seed, n=600, d=32):
    """Features of uneven variance and length."""
    rng = np.random.default_rng(seed)
    return np.abs(rng.normal(size=(n, d)) @ (rng.normal(size=(d, d)) * np.linspace(1, 0.02, d)))


def kernel_herding(points, k):
    """Argmax <(t + 1) mu - s, z>, which leaves out the length of the picked image."""
    mean, total, picked = points.mean(axis=0), np.zeros(points.shape[1]), []
    for step in range(k):
        pull = points @ ((step + 1) * mean - total)
        pull[picked] = -np.inf
        picked.append(int(pull.argmax()))
        total += points[picked[-1]]
    return picked


@pytest.mark.parametrize("seed", range(5))
def test_herding_is_nearer_to_the_mean_than_kernel_herding_and_random(seed):
    points = uneven(seed)
    order = np.random.default_rng(seed).permutation(len(points))
    for k in (6, 60, 300):
        error = mean_error(points, PICKS["herding"](points, k))
        assert error <= mean_error(points, kernel_herding(points, k)), k
        assert error < mean_error(points, order[:k]), k


def test_matching_prefers_the_direction_of_the_class():
    # In unit length, the third point is the median of the class but for the outlier.
    points = np.array([[9.0, 0.0], [0.0, 0.1], [3.0, 3.0], [1.0, 0.9], [0.9, 1.0], [-5.0, 0.0]])
    picked = PICKS["matching"](points, 6).tolist()
    assert (picked[0], picked[-1]) == (2, 5)


def test_lengths_do_not_matter_to_matching():
    points = uneven(1, 60)
    longer = points * np.random.default_rng(0).uniform(0.1, 9, (60, 1))
    assert PICKS["matching"](points, 30).tolist() == PICKS["matching"](longer, 30).tolist()
    assert PICKS["matching-unscaled"](points, 30).tolist() != (
        PICKS["matching-unscaled"](longer, 30).tolist()
    )


def test_matching_avoids_wrong_labels_and_the_unscaled_form_takes_its_share():
    rng = np.random.default_rng(0)
    own, other = np.abs(rng.normal(size=(2, 16)))
    points = np.concatenate([own + 0.5 * rng.normal(size=(240, 16)),
                             other + 0.5 * rng.normal(size=(60, 16))])  # fmt: skip
    wrong = {name: np.mean(PICKS[name](points, 60) >= 240) for name in PICKS if "match" in name}
    assert wrong["matching"] < 0.02
    assert wrong["matching-unscaled"] > 0.1


def test_unscaled_matching_is_not_moved_by_outliers():
    # The geometric median is 1, the mean 21. The farthest is first; as it is left to make up
    # 1 * 2 - 100, the rest come from the smallest on.
    points = np.array([[0.0], [1.0], [1.0], [3.0], [100.0]])
    assert PICKS["matching-unscaled"](points, 5).tolist() == [4, 0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["matching", "matching-unscaled", "herding", "adaptive"])
def test_picks_do_not_depend_on_which_products_are_computed(name, dtype, monkeypatch):
    for seed, scale in enumerate((1.0, 1e-6, 1e6, 1e-15, 1e15, 1e-30, 1e30)):
        points = (scale * uneven(seed, 300)).astype(dtype)
        points[200:] = points[:100]  # equal images, of which the first is picked
        before = points.copy()
        found = []
        for few in (1, 10**9):  # the picked ones alone; all pairs
            monkeypatch.setattr(following, "FEW", few)
            found.append(FOLLOWS[name](Scaled(points), 120, 0.5 * points[0]))
        assert found[0].rows.tolist() == found[1].rows.tolist()
        np.testing.assert_allclose(found[0].left(), found[1].left(), rtol=1e-9)
        assert np.array_equal(points, before)


def test_double_precision_decides_where_single_cannot(monkeypatch):
    # Directions a millionth of a degree apart, of which the last is that of the target.
    angles = np.radians(45 + np.array([3e-6, 2e-6, 1e-6, 0.0]))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    target = points[3] * [1, 1 - 1e-12]
    monkeypatch.setattr(following, "FEW", 1)
    picked = following.follow(Scaled(points), target, 4, 0.0).rows
    plain, theta = [], target.copy()
    for _ in range(4):
        left = [row for row in range(4) if row not in plain]
        plain.append(max(left, key=lambda row: points[row] @ theta))
        theta += target - points[plain[-1]]
    assert picked.tolist() == plain
    assert plain[0] == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("least", "most"), [(1, 4), (16, 1024), (200, 200)])
def test_k_center_picks_the_same_however_many_images_it_searches(dtype, least, most, monkeypatch):
    monkeypatch.setattr(farthest, "LEAST", least)
    monkeypatch.setattr(farthest, "MOST", most)
    monkeypatch.setattr(farthest, "BLOCK_NUMBERS", 100)
    for seed, scale in enumerate((1.0, 1e-6, 1e15, 1e-30, 1e30)):
        points = (scale * uneven(seed, 120)).astype(dtype)
        plain = naive.k_center(points.astype(np.float64), 60, None)
        assert PICKS["k-center"](points, 60).tolist() == plain


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("least", "most"), [(1, 4), (16, 1024)])
def test_of_equal_images_k_center_picks_the_first_and_the_others_last(
    dtype, least, most, monkeypatch
):
    monkeypatch.setattr(farthest, "LEAST", least)
    monkeypatch.setattr(farthest, "MOST", most)
    for seed in range(5):
        drawn = np.random.default_rng(seed).integers(0, 70, 150)
        points = uneven(seed, 70, 37).astype(dtype)[drawn]
        points[3], points[140] = 0.0, -0.0
        plain = naive.k_center(points.astype(np.float64), 150, None)
        assert len(np.unique(points, axis=0)) < 70
        for k in (1, 40, 100, 150):
            assert PICKS["k-center"](points, k).tolist() == plain[:k]


@pytest.mark.parametrize("most", [8, 1024])
def test_k_center_picks_one_by_one_where_single_precision_decides_nothing(most, monkeypatch):
    monkeypatch.setattr(farthest, "MOST", most)
    # Equal images; and images that differ in digits that single precision lacks.
    points = np.repeat(uneven(2, 50), 4, axis=0)
    picked = PICKS["k-center"](points, 200).tolist()
    assert sorted(picked) == list(range(200))
    assert len({row // 4 for row in picked[:50]}) == 50
    near = 1 + 1e-5 * np.array([[0.0], [4.0], [5.0], [11.0]])
    assert PICKS["k-center"](near, 4).tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize("name", ["matching", "matching-unscaled"])
@pytest.mark.parametrize("away", [0.0, 3.0, 1e3])
def test_the_median_in_single_precision_is_that_in_double(name, away):
    points = (uneven(3, 400) + away).astype(np.float32)
    scaled = Scaled(points)
    if name == "matching":
        scaled = scaled.directions()
    whole = scaled.whole()
    exact = geometric_median(lambda: iter([whole]), whole.mean(axis=0))
    apart = np.linalg.norm(whole - exact, axis=1).mean()
    assert np.linalg.norm(median(scaled) - exact) < 1e-5 * apart


@pytest.mark.parametrize(
    ("strategy", "n", "d", "k", "parts"),
    [
        ("herding", 4096, 9999, 4096, 1),
        ("herding", 20_000, 640, 400, 1),
        ("k-center", 20_000, 640, 400, 1),
        ("facility-location", 20_000, 640, 400, 5),
        ("graph", 4097, 2, 1, 2),
        ("matching", 20_000, 1280, 400, 2),  # for memory
        ("matching", 70_000, 16, 7_000, 8),  # for time
    ],
)
def test_a_class_is_whole_if_memory_and_time_allow(strategy, n, d, k, parts):
    assert picking.number_of_parts(STRATEGIES[strategy].function, n, d, k) == parts
