import json
import shutil

import pytest

import moderate_cli
from moderate_cli.errors import StoreError
from moderate_cli.store.inventory import describe

SET = "pixels-float32-float32"


@pytest.fixture
def cluttered(data):
    """A dataset that holds files of the names that ours have."""
    for folder in (data, data / "cat"):
        (folder / "manifest.json").write_text('{"name": "mine"}')
        (folder / "plan.json").write_text("[]")
    return data


def test_files_of_a_dataset_are_taken_for_no_feature_set(cluttered):
    for path in (cluttered, cluttered / "cat"):
        assert describe(path) == []


def test_the_store_of_a_cluttered_dataset_is_shown(cluttered):
    moderate_cli.embed(moderate_cli.scan(cluttered), backbone="pixels", dtype="float32")
    folder = cluttered.with_name("train.moderate") / SET
    for path in (cluttered, folder.parent, folder):
        (found,) = describe(path)
        assert (found.feature_set, found.dataset) == (str(folder), str(cluttered))


def test_a_store_of_any_name_is_one_if_it_holds_features(embedded, tmp_path):
    shutil.copytree(embedded.with_name("train.moderate"), tmp_path / "store")
    for path, store in (
        (tmp_path / "store", None),
        (tmp_path / "store" / SET, None),
        (embedded, tmp_path / "store"),
    ):
        (found,) = describe(path, store)
        assert found.feature_set == str(tmp_path / "store" / SET)


@pytest.mark.parametrize("other", ["itself", "another store"])
def test_a_store_that_is_named_is_shown_whatever_the_environment_says(
    embedded, moderate, tmp_path, monkeypatch, other
):
    named = embedded.with_name("train.moderate")
    monkeypatch.setenv("MODERATE_STORE", str(named))
    if other == "another store":
        shutil.copytree(named, tmp_path / "other")
        monkeypatch.setenv("MODERATE_STORE", str(tmp_path / "other"))
    for path in (named, named / SET):
        done = moderate("info", path)
        assert (done.status, done.stderr) == (0, "")
        facts = json.loads(moderate("info", path, "--json").stdout)
        (own,) = facts["feature_sets"]
        assert (own["feature_set"], own["dataset"]) == (str(named / SET), str(embedded))
        assert facts["dataset"]["path"] == str(embedded)


def test_damage_to_a_set_in_its_store_is_reported(embedded):
    folder = embedded.with_name("train.moderate") / SET
    (folder / "features.npy").unlink()
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(StoreError) as caught:
        describe(embedded)
    assert str(caught.value) == (
        f"{folder}/manifest.json: damaged (is not of format 3); remove {folder} to embed again"
    )


def test_a_missing_path_is_named(moderate, tmp_path):
    assert moderate("info", tmp_path / "nowhere") == (
        1,
        "",
        f"moderate: error: {tmp_path}/nowhere: No such file or directory; name a dataset folder\n",
    )
