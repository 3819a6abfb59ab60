import numpy as np
import pytest

from moderate_cli.scoring import neighbors
from moderate_cli.scoring.neighbors import disagreement, nearest


def angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def all_nearest(features, rows, count):
    parts = list(nearest(features, rows, count))
    assert [part.start for part, _ in parts] == [0, *(part.stop for part, _ in parts[:-1])]
    assert parts[-1][0].stop == len(rows)
    return (
        np.concatenate([found.similarity for _, found in parts]),
        np.concatenate([found.position for _, found in parts]),
    )


@pytest.mark.parametrize("blocks", [(1, 1), (2, 3), (4, 2), (2048, 8192)])
def test_the_most_similar_come_first(monkeypatch, blocks):
    monkeypatch.setattr(neighbors, "QUERY_ROWS", blocks[0])
    monkeypatch.setattr(neighbors, "REFERENCE_ROWS", blocks[1])
    # Rows 1 and 3 are not among the rows to score. Lengths do not matter.
    features = angles(0, 7, 91, 7, 10, 50) * [[1], [1], [3], [1], [9], [2]]
    similarity, position = all_nearest(features, np.array([0, 2, 4, 5]), 2)
    assert position.tolist() == [[2, 3], [3, 2], [0, 3], [2, 1]]
    degrees = [[10, 50], [41, 81], [10, 40], [40, 41]]
    np.testing.assert_allclose(similarity, np.cos(np.radians(degrees)), atol=1e-6)
    assert similarity.dtype == np.float32


@pytest.mark.parametrize("blocks", [(2, 3), (2048, 8192)])
def test_of_equally_similar_ones_the_first_come_first(monkeypatch, blocks):
    monkeypatch.setattr(neighbors, "QUERY_ROWS", blocks[0])
    monkeypatch.setattr(neighbors, "REFERENCE_ROWS", blocks[1])
    _, position = all_nearest(angles(0, 0, 0, 0), np.arange(4), 9)
    assert position.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_neighbors_count_by_their_similarity():
    # 30 degrees with the same label, 60 with another: cos 60 / (cos 30 + cos 60).
    found = disagreement(angles(0, 30, -60), np.arange(3), np.array([0, 0, 1]))
    near, far = np.cos(np.radians([30, 60]))
    np.testing.assert_allclose(found, [far / (near + far), 0, 1], atol=1e-6)
    # So do those that are hardly similar.
    found = disagreement(angles(0, 80, -85), np.arange(3), np.array([0, 0, 1]))
    near, far = np.cos(np.radians([80, 85]))
    np.testing.assert_allclose(found, [far / (near + far), 0, 1], atol=1e-6)


def test_an_image_that_points_away_or_nowhere_is_not_a_neighbor():
    features = np.concatenate([angles(0, 180, 10, 20), [[0.0, 0.0]]])
    found = disagreement(features, np.arange(5), np.array([0, 1, 0, 0, 1]))
    np.testing.assert_allclose(found, [0, 0, 0, 0, 0], atol=1e-7)


def test_ten_neighbors_count():
    features = angles(*range(0, 24, 2))
    labels = np.array([0] * 11 + [1])
    found = disagreement(features, np.arange(12), labels)
    # Of the first six, the twelfth is the eleventh neighbor; of the others the first is.
    assert not found[:6].any()
    assert found[6:].all()
