import numpy as np
import pytest

from moderate_cli.scoring import prototypes
from moderate_cli.scoring.prototypes import clusters_of, prototype_distances, spherical_kmeans


def angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


POINTS = angles(0, 2, 4, 90, 92, 94) * [[1], [5], [9], [2], [2], [2]]


@pytest.mark.parametrize("rows_at_once", [1, 4, 4096])
@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_numbered_and_distances_are_to_their_directions(
    monkeypatch, rows_at_once, seed
):
    monkeypatch.setattr(prototypes, "BLOCK_ROWS", rows_at_once)
    rows = np.array([0, 1, 2, 4, 5])
    numbers = clusters_of(POINTS, rows, 2, seed)
    assert numbers.dtype == np.int64
    assert sorted(set(numbers.tolist())) == [0, 1]
    assert len(set(numbers[:3])) == len(set(numbers[3:])) == 1
    found = prototype_distances(POINTS, rows, 2, seed)
    np.testing.assert_allclose(found, 1 - np.cos(np.radians([2, 0, 2, 1, 1])), atol=1e-12)


def test_there_are_no_more_prototypes_than_images():
    found = prototype_distances(POINTS, np.array([0, 5]), 9, 0)
    np.testing.assert_allclose(found, [0, 0], atol=1e-12)


def test_what_points_away_is_at_a_distance_of_up_to_2():
    found = prototype_distances(angles(0, 0, 0, 180), np.arange(4), 1, 0)
    np.testing.assert_allclose(found, [0, 0, 0, 2], atol=1e-12)
    assert np.all((found >= 0) & (found <= 2))


def test_centers_have_length_1_and_each_has_images():
    rng = np.random.default_rng(5)
    points = np.abs(rng.standard_normal((60, 4)))
    for seed in range(5):
        centers = spherical_kmeans(points, np.arange(60), 8, np.random.default_rng(seed))
        np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1)
        assert set((points @ centers.T / np.linalg.norm(points, axis=1)[:, None]).argmax(1)) == set(
            range(8)
        )


@pytest.mark.parametrize("seed", range(6))
def test_an_empty_cluster_moves_to_the_farthest_image(seed):
    # Of eight equal images and one other, two centers may begin at the same place.
    points = angles(*[0] * 8, 40)
    centers = spherical_kmeans(points, np.arange(9), 2, np.random.default_rng(seed))
    found = np.sort(np.degrees(np.arctan2(centers[:, 1], centers[:, 0])))
    np.testing.assert_allclose(found, [0, 40], atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_farthest_is_so_from_the_center_that_is_nearest_to_it(seed):
    points = angles(*[0] * 8, 40, 90)
    centers = spherical_kmeans(points, np.arange(10), 3, np.random.default_rng(seed))
    found = np.sort(np.degrees(np.arctan2(centers[:, 1], centers[:, 0])))
    np.testing.assert_allclose(found, [0, 40, 90], atol=1e-9)


def test_centers_are_placed_by_a_sample_of_each(monkeypatch):
    monkeypatch.setattr(prototypes, "SAMPLE", 3)
    seen = []
    monkeypatch.setattr(
        prototypes,
        "read_rows",
        lambda features, rows, read=prototypes.read_rows: seen.append(rows) or read(features, rows),
    )
    points = np.abs(np.random.default_rng(0).standard_normal((50, 3)))
    spherical_kmeans(points, np.arange(0, 50, 2), 4, np.random.default_rng(0))
    (sample,) = seen
    assert len(set(sample.tolist())) == 12
    assert sample.tolist() == sorted(sample)
    assert not (sample % 2).any()
