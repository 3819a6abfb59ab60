"""Datasets on the hub of Hugging Face, here a folder that stands for it."""

import os
import shutil

import fsspec
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from tables import rows_of, table_of, write_shards

from moderate_cli import embed, scan
from moderate_cli.dataset import filesystems
from moderate_cli.errors import DatasetError

URL = "hf://datasets/some/animals"


class Hub(LocalFileSystem):
    """The repositories in the working directory, with names as the hub's."""

    protocol = "hf"
    reads = 0

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("hf://").rstrip("/")

    def find(self, path, detail=False, **_):
        if not os.path.isdir(path) and not os.path.isfile(path):
            raise FileNotFoundError(path)
        names = [
            os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
        ] or [path]
        return {name: {"size": os.stat(name).st_size, "blob_id": "a1b2"} for name in names}

    def _open(self, path, *args, **options):
        Hub.reads += 1
        return super()._open(path, *args, **options)

    def cat_file(self, path, **_):
        with open(path, "rb") as file:
            return file.read()


@pytest.fixture
def hub(data, tmp_path, monkeypatch):
    """A hub with a dataset in tables, and one in folders."""
    monkeypatch.chdir(tmp_path)
    fsspec.register_implementation("hf", Hub, clobber=True)
    filesystems.file_system.cache_clear()
    repository = tmp_path / "datasets" / "some" / "animals"
    table = table_of(rows_of(data))
    write_shards(repository / "data", table, 3)
    write_shards(repository / "data", table.slice(0, 6), 1, "test")
    (repository / "README.md").write_text("# Animals")
    shutil.copytree(data, tmp_path / "datasets" / "some" / "folders")
    yield repository
    filesystems.file_system.cache_clear()


@pytest.mark.parametrize(
    "name", [f"{URL}/train", f"{URL}/data/train-*.parquet", "hf://datasets/some/folders"]
)
def test_a_dataset_of_the_hub_is_the_one_that_its_folders_are(hub, data, name):
    dataset, folders = scan(name), scan(data)
    assert dataset.classes == folders.classes
    assert dataset.labels.tolist() == folders.labels.tolist()
    found = embed(dataset, backbone="pixels", store="store").features
    assert np.array_equal(found, embed(folders, backbone="pixels").features)


def test_one_file_of_the_hub_is_a_dataset(hub):
    dataset = scan(f"{URL}/data/test-00000-of-00001.parquet")
    assert dataset.paths[0] == "test-00000-of-00001.parquet#0"
    assert len(dataset) == 6
    assert not dataset.source.has_neighbors  # features need --store


def test_a_selection_of_the_hub_has_row_numbers(hub, moderate):
    moderate("select", f"{URL}/train", "--store", "store", "--count", "4", "-o", "kept.npy")
    local = moderate("select", "datasets/some/animals/train", "--count", "4", "-o", "own.npy")
    assert local.status == 0
    assert np.load("kept.npy").tolist() == np.load("own.npy").tolist()
    Hub.reads = 0
    again = moderate("select", f"{URL}/train", "--store", "store", "--count", "4")
    assert len(again.stdout.split()) == 4
    assert Hub.reads == 3  # of each file its end and its classes, but no image


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf://some/animals", "is not a dataset of the hub; name hf://datasets/OWNER/NAME"),
        (URL, f"contains splits (train, test), not classes; pass one of them, e.g. {URL}/train"),
        (f"{URL}/vla", "split 'vla' is unknown; choose one of train, test"),
        ("hf://datasets/no/one", "does not exist; name hf://datasets/OWNER/NAME, or a split of it"),
        (f"{URL}/x-*.parquet", "no Parquet file has such a name; name a folder of them"),
    ],
)
def test_a_wrong_name_is_refused_in_a_line(hub, name, message):
    with pytest.raises(DatasetError) as error:
        scan(name)
    assert str(error.value) == f"{name}: {message}"


def test_tables_in_several_folders_are_told_apart(hub, data):
    write_shards(hub / "more", table_of(rows_of(data)), 1)
    with pytest.raises(DatasetError, match=r"has tables in several folders \(data, more\); pass"):
        scan(URL)
    assert len(scan(f"{URL}/more")) == 8


def test_without_network_one_line_says_what_to_do(hub, monkeypatch):
    def fail(*_, **__):
        raise ConnectionError("[Errno -2] Name or service not known")

    monkeypatch.setattr(Hub, "find", fail)
    with pytest.raises(DatasetError) as error:
        scan(f"{URL}/train")
    assert str(error.value) == (
        f"{URL}/train: cannot be listed ([Errno -2] Name or service not known); check the network,"
        " or download it and pass its folder"
    )
