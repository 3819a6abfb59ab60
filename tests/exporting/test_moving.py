"""New paths of images that move to the folder of another class."""

import numpy as np

from moderate_cli import scan
from moderate_cli.exporting.moving import free_path, moved_paths


def test_names_that_differ_by_case_alone_are_one():
    taken = {"dog/a.jpg"}
    assert free_path("dog/A", ".jpg", taken) == "dog/A-1.jpg"
    assert free_path("dog/a", ".JPG", taken) == "dog/a-2.JPG"
    assert free_path("dog/b", ".jpg", taken) == "dog/b.jpg"


def test_only_images_of_another_class_move(data):
    dataset = scan(data)
    assert moved_paths(dataset, dataset.labels.tolist()) == list(dataset.paths)
    swapped = np.array([1, 0, 0, 0, 0, 0, 1, 2])  # cat/0 and dog/0 change places
    assert moved_paths(dataset, swapped.tolist())[::5] == ["dog/0.png", "cat/0.png"]


def test_folders_in_a_class_stay(tmp_path, data):
    (data / "cat" / "old").mkdir()
    (data / "cat" / "4.png").rename(data / "cat" / "old" / "1.png")
    dataset = scan(data)
    row = list(dataset.paths).index("cat/old/1.png")
    labels = dataset.labels.copy()
    labels[row] = 2
    assert moved_paths(dataset, labels.tolist())[row] == "owl/old/1.png"
