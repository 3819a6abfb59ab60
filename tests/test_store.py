import json

import numpy as np
import pytest

import moderate_cli
from moderate_cli.backbones import FeatureSpec, Preprocessing
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.store import FORMAT, Manifest, open_store, store_folder

MANIFEST = Manifest(
    FeatureSpec("pixels"),
    "none",
    "",
    "torch",
    Preprocessing(8, 8, "bilinear", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    3,
    192,
    ("caf\u00e9", "odd\udcff\n"),
)


def test_a_manifest_survives_the_disk():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def written(change):
    """The manifest with a change, in the very form that is written."""
    content = json.loads(MANIFEST.to_json()) | change
    return (json.dumps(content, indent=2) + "\n").encode()


def test_a_manifest_without_a_change_is_read():
    assert Manifest.from_json(written({})) == MANIFEST


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": FORMAT - 1}, f"^is not of format {FORMAT}$"),
        ({"format": None}, f"^is not of format {FORMAT}$"),
        ({"spec": {"backbone": "pixels"}}, "^was changed since it was written$"),
        ({"spec": {"backbone": "unheard-of"}}, "^backbone: 'unheard-of' is none of "),
        ({"spec": []}, "must be a mapping, not list"),
        ({"preprocessing": None}, "'NoneType' object is not subscriptable"),
        ({"preprocessing": {"mean": 1}}, "'int' object is not iterable"),
        ({"classes": 3}, "'int' object is not iterable"),
        ({"classes": ["cafe", "odd"]}, "^was changed since it was written$"),
        ({"rows": "3"}, "^was changed since it was written$"),
        ({"rows": 4}, "^was changed since it was written$"),
        ({"sums": {"paths.txt": "00"}}, "^was changed since it was written$"),
        ({"blake2b": "00" * 16}, "^was changed since it was written$"),
        ({"extra": 1}, "'extra'"),
    ],
)
def test_a_changed_manifest_is_refused_with_its_reason(change, reason):
    with pytest.raises(ValueError, match=reason):
        Manifest.from_json(written(change))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", MANIFEST.to_json()[:-1]])
def test_what_is_no_manifest_is_refused(content):
    with pytest.raises(ValueError, match=r"^(Expecting |is not of format |was changed )"):
        Manifest.from_json(content)


def test_the_store_lies_beside_the_dataset_never_inside(tmp_path):
    root = tmp_path / "train"
    assert store_folder(root) == tmp_path / "train.moderate"
    assert store_folder(root, tmp_path / "elsewhere") == tmp_path / "elsewhere"
    with pytest.raises(ArgumentError) as caught:
        store_folder(root, root / "features")
    assert str(caught.value) == (f"--store {root}/features: lies in the dataset; name one outside")


def test_files_on_disk_are_those_of_the_format(embedded):
    folder = embedded.parent / "train.moderate" / "pixels-float32-float32"
    assert sorted(path.name for path in folder.iterdir()) == [
        "dataset.txt",
        "digests.npy",
        "features.npy",
        "labels.npy",
        "manifest.json",
        "paths.txt",
        "stats.npy",
        "unreadable.txt",
    ]
    assert (folder / "dataset.txt").read_text() == "../train"
    assert (folder / "paths.txt").read_text() == (
        "cat/0.png\ncat/1.png\ncat/2.png\ncat/3.png\ncat/4.png\ndog/0.png\ndog/1.png\nowl/0.png\n"
    )
    assert np.load(folder / "labels.npy").tolist() == [0, 0, 0, 0, 0, 1, 1, 2]
    features = np.load(folder / "features.npy")
    assert features.shape == (8, 192)
    np.testing.assert_allclose(features[:, 0] * 255, [0, 51, 102, 153, 255, 0, 255, 51], rtol=1e-6)
    assert (folder / "unreadable.txt").read_text() == ""


def test_there_may_be_no_set(tmp_path):
    assert open_store(tmp_path) is None
    assert open_store(tmp_path / "nowhere") is None


@pytest.mark.parametrize("name", ["features.npy", "labels.npy", "stats.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_damaged_set_is_named_and_never_used(embedded, name, damage):
    folder = embedded.parent / "train.moderate" / "pixels-float32-float32"
    if damage == "cut":
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    elif damage == "gone":
        (folder / name).unlink()
    else:
        np.save(folder / name, np.zeros((8, 3)))
        if name == "manifest.json":
            (folder / "manifest.json.npy").rename(folder / name)
    dataset = moderate_cli.scan(embedded)
    if name == "manifest.json" and damage == "gone":
        assert open_store(folder) is None
        return
    with pytest.raises(StoreError) as caught:
        moderate_cli.score(moderate_cli.embed(dataset, "pixels", dtype="float32"))
    message = str(caught.value)
    assert message.startswith(f"{folder}/{name}: damaged (")
    assert message.endswith(f"); remove {folder} to embed again")
    assert "\n" not in message
