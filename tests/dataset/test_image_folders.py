"""Objects of torchvision are datasets, in their own order."""

import numpy as np
import pytest
from conftest import paint
from torchvision.datasets import ImageFolder

import moderate_cli
from moderate_cli import ModerateError

FEATURES = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}


@pytest.mark.parametrize("relative", [False, True])
def test_an_image_folder_is_the_dataset_of_its_root(data, monkeypatch, relative):
    monkeypatch.chdir(data.parent)
    of_path = moderate_cli.scan(data)
    of_folder = moderate_cli.scan(ImageFolder("train" if relative else data))
    assert (of_folder.root, of_folder.classes) == (of_path.root, of_path.classes)
    assert list(of_folder.paths) == list(of_path.paths)
    assert of_folder.labels.tolist() == of_path.labels.tolist()
    assert of_folder.class_to_idx == ImageFolder(data).class_to_idx
    assert repr(of_folder) == f"Dataset(8 images, 3 classes, in {data})"


def test_its_features_are_those_of_the_path(embedded):
    folder = ImageFolder(embedded)
    store = moderate_cli.embed(folder, **FEATURES)
    assert store.folder == moderate_cli.embed(embedded, **FEATURES).folder
    by_path = moderate_cli.select(embedded, ratio=0.5, **FEATURES)
    by_object = moderate_cli.select(folder, ratio=0.5, **FEATURES)
    assert by_object.rows.tolist() == by_path.rows.tolist()
    assert len(moderate_cli.suspects(folder, fraction=0.25, **FEATURES).paths) == 2
    assert len(moderate_cli.score(folder, **FEATURES)) == 8


def test_rows_are_those_of_an_object_that_leaves_images_out(data, tmp_path):
    paint(data / "cat" / "9.webp", 9)
    folder = ImageFolder(data, is_valid_file=lambda path: "1.png" not in path)
    assert len(folder) == 7
    found = moderate_cli.select(folder, ratio=1, **FEATURES)
    assert found.paths == [path.removeprefix(f"{data}/") for path, _ in folder.samples]
    moderate_cli.export(folder, found.mask, tmp_path / "copy")
    assert len(ImageFolder(tmp_path / "copy")) == 7


@pytest.mark.parametrize("wrong", [np.eye(3), ["a.png"], None])
def test_other_objects_are_refused(wrong):
    with pytest.raises(ModerateError, match="pass a path, a Dataset or an ImageFolder"):
        moderate_cli.scan(wrong)


def test_images_outside_the_root_are_refused(data):
    folder = ImageFolder(data)
    folder.root = str(data / "cat")
    with pytest.raises(ModerateError, match="is outside"):
        moderate_cli.scan(folder)
