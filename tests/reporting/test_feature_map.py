import numpy as np
from reports import HOW, subject_of

from moderate_cli.charts.feature_map import LOOKS
from moderate_cli.reporting.feature_map import chart_of_map, map_note, map_of


def points(subject):
    return chart_of_map(subject, map_of(subject)).to_dict()["data"]["values"]


def test_kept_images_are_drawn_last(small):
    found = points(small)
    assert [point["row"] for point in found] == [0, 1, 6, 8, 9, 2, 3, 4, 5]
    assert [point["fate"] for point in found] == (
        ["dropped"] * 3 + ["removed", "dropped"] + ["kept"] * 4
    )
    assert (found[0]["class"], found[-1]["class"], found[-1]["member"]) == ("cat", "dog", 1)
    places = np.array([[point["x"], point["y"]] for point in found])
    assert (places.min(), places[:, 0].max()) == (0, 1)


def test_of_many_classes_some_look_the_same(tmp_path):
    names = [f"{number:02}" for number in range(LOOKS + 2)]
    subject = subject_of(tmp_path, range(LOOKS + 2), range(LOOKS + 2), names, HOW | {"ratio": "1"})
    found = points(subject)
    assert [point["member"] for point in found] == list(range(LOOKS + 2))
    assert [point["class"] for point in found] == [*map(str, range(LOOKS)), "0", "1"]


def test_the_note_says_how_many_images_are_on_the_map(small, monkeypatch):
    note = "placed by PCA of their features: similar images are close together."
    assert map_note(small, map_of(small)) == f"All images, {note} Dropped images are pale."
    monkeypatch.setattr("moderate_cli.reporting.feature_map.MOST_POINTS", 4)
    assert map_note(small, map_of(small)) == (
        f"A random sample of 4 images, {note} Dropped images are pale."
    )
