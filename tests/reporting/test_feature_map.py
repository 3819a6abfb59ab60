import numpy as np
from reports import HOW, subject_of

from moderate_cli.charts.palette import PALETTE
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting.feature_map import chart_of_map, groups_of, map_note, map_of


def points(subject, places=None):
    return chart_of_map(subject, map_of(subject), places).to_dict()["data"]["values"]


def test_kept_images_are_drawn_last(small):
    places = {row: row for row in range(10)}
    found = points(small, places)
    assert [point["at"] for point in found] == [0, 1, 6, 8, 9, 2, 3, 4, 5]
    assert [point["kept"] for point in found] == 5 * [False] + 4 * [True]
    assert (found[0]["member"], found[-1]["member"]) == (0, 1)
    where = np.array([[point["x"], point["y"]] for point in found])
    assert (where.min(), where[:, 0].max()) == (0, 1)


def test_a_suspect_has_the_color_of_the_class_that_it_looks_like(tmp_path):
    suspects = Suspects(np.array([0.9, 0.1, 0.1]), np.array([7, 5, 5]))
    subject = subject_of(tmp_path, [1, 2, 3], [5, 5, 7], 8 * "a", HOW, suspects=suspects)
    found = points(subject, {0: 0, 1: 1, 2: 2})
    assert {point["at"]: (point["group"], point["like"]) for point in found} == {
        0: (0, 1), 1: (0, -1), 2: (1, -1),
    }  # fmt: skip


def test_of_many_classes_the_largest_have_colors(tmp_path):
    many = len(PALETTE) + 3
    labels = [*range(many), *range(3, many)]
    names = [f"{number:02}" for number in range(many)]
    subject = subject_of(tmp_path, range(len(labels)), labels, names, HOW | {"ratio": "1"})
    found = groups_of(subject)
    assert found.names == [*names[3:], "other classes"]
    assert found.of_class.tolist() == [20, 20, 20, *range(20)]
    assert {point["group"] for point in points(subject) if point["member"] < 3} == {20}


def test_the_note_says_how_many_images_are_on_the_map(small, monkeypatch):
    note = "placed by PCA of their features: similar images are close together."
    pale = "Dropped images are small and pale."
    assert map_note(small, map_of(small)) == f"All images, {note} {pale}"
    monkeypatch.setattr("moderate_cli.reporting.feature_map.MOST_POINTS", 4)
    assert map_note(small, map_of(small)) == f"A random sample of 4 images, {note} {pale}"
