"""The kept images are found in the datasets of torchvision, timm and Hugging Face, and in lists."""

import shutil

import numpy as np
import pytest
import timm.data
from conftest import paint
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

import moderate_cli
from moderate_cli import ModerateError

FEATURES = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}


@pytest.fixture
def selection(embedded):
    return moderate_cli.select(embedded, ratio=0.5, **FEATURES)


def test_of_an_image_folder(selection, embedded):
    images = ImageFolder(embedded, ToTensor())
    subset = selection.subset(images)
    assert isinstance(subset, Subset)
    assert [images.samples[at][0] for at in subset.indices] == [
        f"{embedded}/{path}" for path in selection.paths
    ]
    (pictures, labels), *_ = DataLoader(subset, batch_size=4)
    assert pictures.shape == (4, 3, 9, 9)
    assert labels.tolist() == selection.scores.labels[selection.rows].tolist()
    assert len(subset) == len(selection.weights)


def test_of_timm_which_sorts_numbers(embedded):
    for number in (10, 11, 12):
        paint(embedded / "cat" / f"{number}.png", 20 * number)
    found = moderate_cli.select(embedded, ratio=0.5, **FEATURES)
    images = timm.data.create_dataset("", root=str(embedded))
    subset = found.subset(images)
    assert [images.filename(at) for at in subset.indices] == found.paths
    assert subset.indices != found.rows.tolist()


def test_of_a_reader_of_fewer_formats(embedded):
    paint(embedded / "dog" / "7.gif", 3)  # which ImageFolder does not read
    every = moderate_cli.select(embedded, ratio=1, **FEATURES)
    with pytest.raises(
        ModerateError, match=r"has no dog/7.gif, which is kept \(1 of 9 are missing"
    ):
        every.subset(ImageFolder(embedded))


def test_of_another_folder_with_other_images(selection, embedded):
    other = embedded.parent / "val"
    paint(other / "cat" / "9.png", 5)
    with pytest.raises(ModerateError, match="pass the dataset that was selected from"):
        selection.subset(ImageFolder(other))


def test_of_a_folder_that_a_list_names(embedded, tmp_path):
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in embedded.rglob("*.png"))
    (tmp_path / "list.csv").write_text(
        "path,label\n" + "".join(f"{path},{path[11:14]}\n" for path in paths)
    )
    found = moderate_cli.select(tmp_path / "list.csv", ratio=0.5, **FEATURES)
    images = ImageFolder(embedded)
    subset = found.subset(images)
    assert [images.samples[at][0] for at in subset.indices] == [
        f"{tmp_path}/{path}" for path in found.paths
    ]


def test_of_corrected_labels_which_the_dataset_lacks(embedded, tmp_path):
    images = ImageFolder(embedded)
    path = images.samples[0][0].removeprefix(f"{embedded}/")
    file = tmp_path / "corrected.csv"
    file.write_text(f"path,label\n{path},dog\n")
    every = moderate_cli.select(embedded, ratio=1, labels=str(file), **FEATURES)
    with pytest.raises(ModerateError, match=r"corrected 1 label of the kept images.*; train on a"):
        every.subset(images)
    file.write_text(f"path,label\n{path},\n")
    rest = moderate_cli.select(embedded, ratio=1, labels=str(file), **FEATURES)
    assert len(rest.subset(images)) == len(images) - 1


def test_of_a_copy(selection, embedded, tmp_path):
    shutil.copytree(embedded, tmp_path / "copy")
    assert len(selection.subset(ImageFolder(tmp_path / "copy"))) == len(selection.rows)


class Numbers(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, row):
        return row


def test_of_ones_own_dataset_by_row(selection):
    assert list(selection.subset(Numbers(8))) == selection.rows.tolist()
    with pytest.raises(ModerateError, match="dataset: has 9 images, not 8"):
        selection.subset(Numbers(9))


def test_of_a_table_by_its_rows(embedded):
    paths = sorted(path.relative_to(embedded).as_posix() for path in embedded.rglob("*.png"))
    paths = ["cat/missing.png", *reversed(paths)]
    lines = "".join(f"{path},{path[:3]}\n" for path in paths)
    (embedded / "list.csv").write_text("path,label\n" + lines)
    found = moderate_cli.select(embedded / "list.csv", ratio=0.5, **FEATURES)
    assert [paths[row] for row in found.subset(Numbers(9))] == found.paths
    with pytest.raises(ModerateError, match="dataset: has 8 images"):
        found.subset(Numbers(8))


class HuggingFace:
    """As `datasets.Dataset`, as far as it is used."""

    def __init__(self, labels, names):
        self.labels = labels
        self.features = {"image": object(), "label": type("ClassLabel", (), {"names": names})}

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, column):
        assert column == "label"
        return self.labels

    def select(self, rows):
        return HuggingFace([self.labels[row] for row in rows], self.features["label"].names)


def test_of_hugging_face(selection):
    names = ["owl", "dog", "cat"]
    images = HuggingFace([2, 2, 2, 2, 2, 1, 1, 0], names)
    assert len(selection.subset(images)) == 4
    with pytest.raises(
        ModerateError, match=r"row 1 is of class 'dog', not 'cat', so its order differs"
    ):
        selection.subset(HuggingFace([1, 1, 2, 2, 2, 2, 2, 0], names))


def test_weights_are_one_where_classes_keep_their_shares(rng):
    labels = np.repeat([0, 1], [10, 30])
    options = {"features": rng.normal(size=(40, 3)), "labels": labels, "strategy": "random"}
    assert np.allclose(moderate_cli.select(ratio=0.5, **options).weights, 1)
    equal = moderate_cli.select(count=20, balance="uniform", **options)
    assert np.allclose(equal.weights, np.repeat([0.5, 1.5], 10))
