import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import draw
from listeners import Told
from PIL import ExifTags, Image

from moderate_cli import embed, estimate_fit, fit
from moderate_cli.dataset import scan
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.embedding import EmbedOptions, request
from moderate_cli.embedding.engines import hiring
from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.errors import ArgumentError, DatasetError, OptionError, StoreError
from moderate_cli.fitting import (
    checkpoint,
    comparing,
    facts,
    learner,
    learning,
    lifecycle,
    plan,
    preparing,
    telling,
)
from moderate_cli.fitting.facts import FACTS, Fit, find_fit
from moderate_cli.fitting.options import FitOptions
from moderate_cli.fitting.plan import choose_network
from moderate_cli.listening import SILENT
from moderate_cli.networks.fitted import parts_of, read_fitted
from moderate_cli.networks.table import weights_digest
from moderate_cli.notices import Notice
from moderate_cli.scoring.ridge import Ridge
from moderate_cli.training import reading

HOW = {"network": "cnn", "epochs": 1, "folds": 2}
OPTIONS = {"device": "cpu", "runtime": "torch"}
LEFT = ["fitted", "fitted.lock", "moderate.lock", "pixels-float32-float16"]


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Compares networks with the backbone `pixels`, and keeps the state of each epoch."""
    monkeypatch.setattr(preparing, "DEFAULT_BACKBONE", "pixels")
    monkeypatch.setattr(telling, "PATIENCE", 0.0)


@pytest.fixture
def trained(counted):
    """Calls of the training: the description of each, the examples, the older network."""
    return counted(learning, "learn")


def fitted(root, **how) -> Fit:
    return fit(root, **{**HOW, **OPTIONS, **how})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def same(one: Path, other: Path) -> bool:
    """Whether the weights of all folds are the same, bit by bit."""
    tails = (read_fitted(path).tails for path in (one, other))
    return all(torch.equal(a[name], b[name]) for a, b in zip(*tails, strict=True) for name in a)


def store_of(root: Path) -> Path:
    return root.with_name(root.name + ".moderate")


def test_a_network_is_kept_in_the_store_with_its_facts(pictures):
    found = fitted(pictures, folds=3)
    folder = store_of(pictures) / "fitted"
    assert found.weights == folder / "network.pt"
    assert (found.network, found.size, found.folds, found.epochs) == ("cnn", 32, 3, 1)
    assert (found.images, found.classes) == (20, 4)
    network = read_fitted(found.weights)
    assert (network.network, network.classes, network.size) == ("cnn", 4, 32)
    assert len(network.tails) == 3
    facts = json.loads((folder / "fitted.json").read_text())
    assert facts["options"] == {
        "network": "cnn", "epochs": 1, "minutes": None, "folds": 3, "seed": 0,
        "orientation": "ignore",
    }  # fmt: skip
    assert facts["dataset"] == "../train"
    assert sorted(os.listdir(folder.parent)) == LEFT
    assert find_fit(scan(pictures), None) == (found, True)


def test_networks_see_the_pictures_that_features_see(tmp_path):
    """A picture that is stored on its side, with a tag, is trained on as it is embedded."""
    upright = Image.new("RGB", (8, 8), "white")
    upright.paste("black", (0, 0, 4, 8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for name in ("a", "b"):
        (tmp_path / "phone" / name).mkdir(parents=True)
    upright.save(tmp_path / "phone" / "a" / "0.png")
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "phone" / "b" / "0.png", exif=exif)
    same = []
    for orientation in ("ignore", "exif"):
        how = FitOptions(**HOW, orientation=orientation)
        dataset, options = scan(tmp_path / "phone"), EmbedOptions(**OPTIONS)
        planned = preparing.planned(dataset, how, options)
        one, other = preparing.read(dataset, planned.rows, planned, options, SILENT).inputs
        same.append(bool((one == other).all()))
    assert same == [False, True]


def test_a_network_of_pictures_that_were_not_turned_is_trained_anew(pictures):
    first = fitted(pictures)
    how = FitOptions(**HOW)
    assert find_fit(scan(pictures), None, how) == (first, True)
    path = first.weights.with_name(FACTS)
    facts = json.loads(path.read_text())
    assert facts["options"].pop("orientation") == "ignore"
    path.write_text(json.dumps(facts))  # as version 0.3 wrote it
    assert find_fit(scan(pictures), None, how) == (first, True)
    turned = replace(how, orientation="exif")
    assert find_fit(scan(pictures), None, turned) == (first, False)
    second = fitted(pictures, orientation="exif")
    assert find_fit(scan(pictures), None, turned) == (second, True)
    assert (pictures.parent / "train.moderate" / "pixels-float32-float16-exif").is_dir()


def test_the_accuracy_of_the_pretrained_network_is_that_of_a_head_on_its_features(pictures):
    found = fitted(pictures)
    store = embed(pictures, backbone="pixels")
    rows = np.arange(20)
    outputs = [
        Ridge(store.features, rows, store.labels, 4, strength).held_out(slice(0, 20))
        for strength in 10.0 ** np.arange(-3, 0.5, 0.5)
    ]
    best = max(float(np.mean(one.argmax(axis=1) == store.labels)) for one in outputs)
    assert found.pretrained == best == 1


@pytest.mark.parametrize(("folds", "judged"), [(1, 2), (2, 20)])
def test_the_accuracy_is_that_of_held_out_images(pictures, folds, judged):
    found = fitted(pictures, folds=folds)
    assert (found.judged, found.pretrained) == (judged, 1)
    assert found.accuracy * judged == pytest.approx(round(found.accuracy * judged))


@pytest.mark.parametrize(("network", "folds"), [("cnn", 1), ("efficientnet_lite0", 3)])
def test_small_networks_are_trained_alone_and_pretrained_ones_by_folds(
    pictures, monkeypatch, network, folds
):
    monkeypatch.setattr(learning, "seconds_per_image", lambda *_: 1.0)
    assert estimate_fit(pictures, network=network, **OPTIONS).folds == folds


def test_a_second_fit_does_nothing(pictures, monkeypatch):
    first = fitted(pictures)
    before = files(first.weights.parent)

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(learning, "learn", fail)
    monkeypatch.setattr(comparing, "bring_up_to_date", fail)
    assert fitted(pictures) == first
    assert files(first.weights.parent) == before


@pytest.mark.parametrize(
    "how", [{"epochs": 2}, {"folds": 3}, {"seed": 1}, {"network": "resnet9_narrow"}]
)
def test_other_options_train_anew(pictures, tmp_path, trained, how):
    fitted(pictures)
    found = fitted(pictures, **how)
    assert len(trained) == 2
    assert find_fit(scan(pictures), None, FitOptions(**{**HOW, **how})) == (found, True)
    # As without the network before.
    plain = fitted(pictures, store=tmp_path / "other", **how)
    assert same(found.weights, plain.weights)


def test_the_same_seed_gives_the_same_files_and_another_one_others(pictures, tmp_path):
    found = [
        fitted(pictures, seed=seed, store=tmp_path / "data" / name)
        for name, seed in (("x", 0), ("y", 0), ("z", 1))
    ]
    one, same_one, other = (files(each.weights.parent) for each in found)
    assert one == same_one
    assert one["network.pt"] != other["network.pt"]


def test_a_moved_store_and_dataset_still_belong_together(pictures, tmp_path, trained):
    fitted(pictures)
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    found = fitted(tmp_path / "moved" / "train")
    assert len(trained) == 1
    assert found.weights == tmp_path / "moved" / "train.moderate" / "fitted" / "network.pt"


def test_the_random_state_of_torch_stays_as_it_was(pictures):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    fitted(pictures)
    estimate_fit(pictures, **HOW, **OPTIONS)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_fit_goes_on_and_gives_the_same_files(
    pictures, tmp_path, monkeypatch, epoch
):
    whole = files(fitted(pictures, epochs=2, store=tmp_path / "data" / "x").weights.parent)
    saved = itertools.count(1)

    def write(self, state, original=checkpoint.Checkpoint.write):
        original(self, state)
        if next(saved) == epoch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "write", write)
        with pytest.raises(KeyboardInterrupt):
            fitted(pictures, epochs=2)
    assert sorted(os.listdir(store_of(pictures))) == sorted([*LEFT[1:], "fitted.partial.pt"])
    moves = []
    found = fitted(pictures, epochs=2, listener=Told(fit=moves))
    assert moves == [(10 * done, 40) for done in range(epoch + 1, 5)]
    assert files(found.weights.parent) == whole
    assert sorted(os.listdir(store_of(pictures))) == LEFT


CHILD = """
import contextlib, time
from moderate_cli.fitting import checkpoint, preparing, telling
from moderate_cli.__main__ import main

preparing.DEFAULT_BACKBONE, written, new_file = "pixels", [], checkpoint.new_file
telling.PATIENCE = 0.0

class Half:
    def __init__(self, file):
        self.file = file

    def write(self, content):
        written.append(content)
        if len(written) < 4:
            return self.file.write(content)
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        print("half", flush=True)
        time.sleep(600)

@contextlib.contextmanager
def half(path):
    with new_file(path) as file:
        yield Half(file)

checkpoint.new_file = half
main()
"""


def test_a_killed_process_goes_on_and_ends_with_the_same_files(pictures, tmp_path):
    whole = files(fitted(pictures, epochs=3, store=tmp_path / "data" / "x").weights.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, "fit", "data/train", "--network", "cnn", "--epochs", "3",
         "--folds", "2", "--device", "cpu"],
        cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # It is killed while it writes its state of the first epoch of the second fold.
    line = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    _, error = process.communicate()
    assert (line, process.returncode) == ("half\n", -signal.SIGKILL), error
    names = os.listdir(store_of(pictures))
    assert "fitted" not in names
    assert len([name for name in names if name.endswith(".moderate-tmp")]) == 1
    moves = []
    found = fitted(pictures, epochs=3, listener=Told(fit=moves))
    assert moves == [(40, 60), (50, 60), (60, 60)]
    assert files(found.weights.parent) == whole
    assert sorted(os.listdir(store_of(pictures))) == LEFT


@pytest.mark.parametrize(("patience", "writes"), [(0.0, 6), (25.0, 2), (1000.0, 0)])
def test_a_state_is_written_only_if_the_last_one_is_old(
    pictures, monkeypatch, counted, patience, writes
):
    judged, written = counted(learner.Learner, "_right"), counted(checkpoint.Checkpoint, "write")
    # Those of the first network end after 10, 20 and 30 seconds, of the second after 50 to 70.
    monkeypatch.setattr(telling, "time", SimpleNamespace(monotonic=lambda: 10 * len(judged)))
    monkeypatch.setattr(telling, "PATIENCE", patience)
    fitted(pictures, epochs=3)
    assert len(written) == writes


def interrupted(root, monkeypatch, **how):
    """Train one epoch, and stop."""

    def stop(self, state, original=checkpoint.Checkpoint.write):
        original(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            fitted(root, **how)
    return store_of(root) / "fitted.partial.pt"


@pytest.mark.parametrize("content", [b"", b"bad", None])
def test_a_damaged_state_costs_time_and_nothing_else(pictures, tmp_path, monkeypatch, content):
    whole = files(fitted(pictures, epochs=2, store=tmp_path / "data" / "x").weights.parent)
    state = interrupted(pictures, monkeypatch, epochs=2)
    state.write_bytes(state.read_bytes()[:-100] if content is None else content)
    moves = []
    found = fitted(pictures, epochs=2, listener=Told(fit=moves))
    assert moves[0] == (10, 40)
    assert files(found.weights.parent) == whole


@pytest.mark.parametrize("how", [{"epochs": 3}, {"folds": 3}, {"seed": 1}])
def test_a_state_of_another_training_is_not_gone_on_with(pictures, monkeypatch, trained, how):
    interrupted(pictures, monkeypatch, epochs=2)
    fitted(pictures, **{"epochs": 2, **how})
    assert trained[-1][3] is None
    assert not (store_of(pictures) / "fitted.partial.pt").exists()


def test_a_state_of_other_images_is_not_gone_on_with(pictures, monkeypatch, trained):
    interrupted(pictures, monkeypatch, epochs=2)
    draw(pictures / "a" / "0.png", 5, 2)
    fitted(pictures, epochs=2)
    assert trained[-1][3] is None


def test_a_network_of_older_images_is_trained_on_with_a_third_of_the_epochs(
    pictures, monkeypatch, trained
):
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 4)
    first = fitted(pictures, epochs=None)
    before = read_fitted(first.weights)
    draw(pictures / "a" / "5.png", 5, 2)
    (pictures / "d" / "0.png").unlink()
    assert find_fit(scan(pictures), None) == (first, False)
    second = fitted(pictures, epochs=None)
    assert (first.epochs, second.epochs) == (4, 2)
    (training, _, older, state, *_) = trained[-1]
    assert (training.epochs, state) == (2, None)
    assert np.array_equal(older.digests, before.digests)
    # Images stay in their folds.
    after = read_fitted(second.weights)
    folds = before.known_folds(after.digests)
    assert (folds == -1).sum() == 1
    assert np.array_equal(folds[folds >= 0], after.folds[folds >= 0])
    assert find_fit(scan(pictures), None) == (second, True)


def test_epochs_that_are_asked_for_are_trained_on_older_weights_too(pictures):
    fitted(pictures, epochs=2)
    draw(pictures / "a" / "5.png", 5, 2)
    assert fitted(pictures, epochs=2).epochs == 2


@pytest.mark.parametrize("change", ["network", "folds", "classes"])
def test_a_network_of_another_shape_is_not_gone_on_with(pictures, trained, change):
    fitted(pictures)
    draw(pictures / ("e" if change == "classes" else "a") / "5.png", 5, 2)
    fitted(pictures, **{"network": {"network": "resnet9_narrow"}, "folds": {"folds": 3}}.get(
        change, {}
    ))  # fmt: skip
    assert trained[-1][2] is None


def test_a_network_of_other_classes_is_not_gone_on_with(pictures, trained):
    # As many as before, but each but the first has another number.
    fitted(pictures)
    (pictures / "d").rename(pictures / "aa")
    fitted(pictures)
    assert trained[-1][2] is None


def test_files_are_listed_once_for_the_default_features_and_the_network(pictures, counted):
    asked = [counted(module, "file_stats") for module in (request, facts)]
    found = fitted(pictures)
    assert [len(calls) for calls in asked] == [1, 0]
    assert find_fit(scan(pictures), None) == (found, True)


def test_images_that_change_during_the_training_make_the_network_old(pictures):
    def change(done, total):
        draw(pictures / "a" / "0.png", 5, 2)

    fitted(pictures, listener=Told(fit=change))
    assert find_fit(scan(pictures), None)[1] is False


def test_a_network_is_old_once_an_image_was_written_renamed_or_removed(pictures):
    found = fitted(pictures)
    assert find_fit(scan(pictures), None) == (found, True)
    image = pictures / "a" / "0.png"
    os.utime(image, ns=(0, 0))
    assert find_fit(scan(pictures), None) == (found, False)


@pytest.mark.parametrize("name", ["mine.txt", "weights/mine.pt", "network.pt", "network.pt/mine"])
def test_a_folder_with_a_file_of_the_user_is_refused_before_the_training(pictures, name, trained):
    mine = store_of(pictures) / "fitted" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(StoreError) as caught:
        fitted(pictures)
    folder = store_of(pictures) / "fitted"
    assert str(caught.value) == f"{folder}: is not a network of `moderate fit`; move it away"
    assert mine.read_text() == "mine"
    assert os.listdir(folder) == [name.partition("/")[0]]
    assert trained == []


def test_a_file_of_the_user_beside_a_network_is_refused(pictures, trained):
    found = fitted(pictures)
    mine = found.weights.with_name("mine.txt")
    mine.write_text("mine")
    before = files(found.weights.parent)
    with pytest.raises(StoreError):
        fitted(pictures, seed=1)
    assert files(found.weights.parent) == before
    assert len(trained) == 1


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db"])
def test_a_file_of_the_operating_system_does_not_count(pictures, name):
    found = fitted(pictures)
    found.weights.with_name(name).write_bytes(b"")
    assert fitted(pictures, seed=1).weights == found.weights


def test_a_file_in_place_of_the_folder_is_refused(pictures):
    place = store_of(pictures) / "fitted"
    place.parent.mkdir()
    place.write_text("mine")
    with pytest.raises(StoreError):
        fitted(pictures)
    assert place.read_text() == "mine"


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def removed(path):
    path.unlink()


def of_any_json(path):
    path.write_text("[1, 2]")


def without_a_fact(path):
    facts = json.loads(path.read_text())
    del facts["fit"]["images"]
    path.write_text(json.dumps(facts))


def of_other_scores(path):
    emptied(path.with_name("dynamics.npy"))


def of_a_later_version(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))


@pytest.mark.parametrize(
    "damage",
    [emptied, cut, removed, of_any_json, without_a_fact, of_other_scores, of_a_later_version],
)
def test_with_damaged_facts_it_is_trained_again(pictures, trained, damage):
    first = fitted(pictures)
    before = files(first.weights.parent)
    damage(first.weights.with_name("fitted.json"))
    assert find_fit(scan(pictures), None) is None
    assert fitted(pictures) == first
    assert len(trained) == 2
    assert files(first.weights.parent) == before


@pytest.mark.parametrize("damage", [emptied, cut, removed])
def test_a_damaged_network_is_trained_again(pictures, trained, damage):
    first = fitted(pictures)
    before = first.weights.read_bytes()
    damage(first.weights)
    assert fitted(pictures) == first
    assert len(trained) == 2
    assert first.weights.read_bytes() == before


def test_a_network_of_another_dataset_is_refused(pictures, tmp_path, trained):
    found = fitted(pictures, store=tmp_path / "store")
    before = files(found.weights.parent)
    other = tmp_path / "other"
    shutil.copytree(pictures, other)
    for path in [*other.glob("[abc]/*.png")]:  # more than half of them
        draw(path, 6, int(path.stem))
    for call in (lambda: fitted(other, store=tmp_path / "store"),
                 lambda: embed(other, backbone="fitted", store=tmp_path / "store")):  # fmt: skip
        with pytest.raises(StoreError) as caught:
            call()
        assert str(caught.value) == (
            f"{found.weights.parent}: is the network of another dataset; pass another --store DIR,"
            " or remove it"
        )
    assert files(found.weights.parent) == before
    assert len(trained) == 1


def test_a_network_of_images_that_were_moved_and_changed_is_trained_on(pictures, tmp_path, trained):
    first = fitted(pictures, store=tmp_path / "store")
    pictures.rename(tmp_path / "moved")
    for image in (5, 6):
        draw(tmp_path / "moved" / "a" / f"{image}.png", 5, image)
    found = fitted(tmp_path / "moved", store=tmp_path / "store")
    assert (found.weights, found.images) == (first.weights, 22)
    assert trained[-1][2] is not None
    assert fitted(tmp_path / "moved", store=tmp_path / "store") == found
    assert len(trained) == 2


def test_images_with_the_same_bytes_and_classes_are_those_of_the_network(
    pictures, tmp_path, trained
):
    first = fitted(pictures)
    moved = tmp_path / "moved" / "train"
    shutil.copytree(pictures.parent, moved.parent, copy_function=shutil.copyfile)  # new times
    (moved / "a" / "0.png").rename(moved / "a" / "7.png")
    here = replace(first, weights=store_of(moved) / "fitted" / "network.pt")
    assert find_fit(scan(moved), None) == (here, False)
    assert fitted(moved) == here
    assert len(trained) == 1
    # From now on the stats of the copy show it.
    assert find_fit(scan(moved), None) == (here, True)
    (moved / "a" / "7.png").rename(moved / "b" / "7.png")
    fitted(moved)
    assert len(trained) == 2


def test_without_options_changed_images_are_trained_on_as_before(pictures, trained):
    told = []
    fitted(pictures)
    draw(pictures / "a" / "5.png", 5, 2)
    found = fit(pictures, **OPTIONS, listener=Told(notice=told))
    assert (found.network, found.folds, found.epochs, found.images) == ("cnn", 2, 1, 21)
    assert trained[-1][2] is not None
    updating, notice = told
    assert updating == Notice("updating", 1, 20)
    options = ("--network cnn", "--epochs 1", "--folds 2")
    assert notice._replace(than=0) == Notice("training on", 21, names=("cnn", *options))


def test_without_options_and_without_a_change_the_defaults_are_trained(
    pictures, monkeypatch, trained
):
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 1)
    fitted(pictures)
    assert fit(pictures, **OPTIONS).network == "resnet9_narrow"
    assert trained[-1][2] is None


def correct(pictures, text="a/0.png,b\nc/1.png,\n"):
    """Write corrected labels: by default one of another class, and one to leave out."""
    file = pictures.parent / "corrected.csv"
    file.write_text(f"path,label\n{text}")
    return file


def test_a_network_is_trained_on_corrected_labels(pictures, trained):
    found = fitted(pictures, labels=correct(pictures))
    ((_, examples, before, *_),) = trained
    assert (found.images, before) == (19, None)
    assert examples.names == ("a", "b", "c", "d")
    assert examples.members.tolist() == [1] + [0] * 4 + [1] * 5 + [2] * 4 + [3] * 5
    left_out = content_digest((pictures / "c" / "1.png").read_bytes())
    assert left_out not in list(map(bytes, examples.digests))
    # The other network is judged by these labels, too.
    rows, features = np.delete(np.arange(20), 11), embed(pictures, backbone="pixels").features
    outputs = [
        Ridge(features, rows, examples.members, 4, strength).held_out(slice(0, 19))
        for strength in 10.0 ** np.arange(-3, 0.5, 0.5)
    ]
    shares = [float(np.mean(one.argmax(axis=1) == examples.members)) for one in outputs]
    assert found.pretrained in shares
    assert found.pretrained < 1


def test_a_network_of_other_labels_is_trained_further(pictures, monkeypatch, trained):
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 3)
    file = correct(pictures)
    first = fitted(pictures, epochs=None)
    second = fitted(pictures, epochs=None, labels=file)
    assert (first.epochs, second.epochs) == (3, 1)
    assert first.corrections_key == "" != second.corrections_key
    assert len(trained) == 2
    assert trained[1][2] is not None
    # Nothing more is to be done, unless labels change.
    assert fitted(pictures, epochs=None, labels=file) == second
    assert estimate_fit(pictures, network="cnn", folds=2, labels=file, **OPTIONS).seconds == 0
    correct(pictures, "a/0.png,b\n")
    assert estimate_fit(pictures, network="cnn", folds=2, labels=file, **OPTIONS).epochs == 1
    third = fitted(pictures, epochs=None, labels=file)
    assert (third.images, len(trained)) == (20, 3)
    assert fitted(pictures, epochs=None).corrections_key == ""
    assert len(trained) == 4


def test_labels_that_correct_nothing_are_those_of_the_dataset(pictures, trained):
    first = fitted(pictures)
    assert fitted(pictures, labels=correct(pictures, "a/0.png,a\n")) == first
    assert len(trained) == 1


def test_images_that_are_moved_to_their_corrected_class_need_no_training(pictures, trained):
    file = correct(pictures)
    first = fitted(pictures, labels=file)
    os.utime(pictures / "d" / "0.png")
    assert fitted(pictures, labels=file) == first
    (pictures / "a" / "0.png").rename(pictures / "b" / "7.png")
    (pictures / "c" / "1.png").unlink()
    assert fitted(pictures) == replace(first, corrections_key="")
    assert find_fit(scan(pictures), None, FitOptions(**HOW)) == (
        replace(first, corrections_key=""),
        True,
    )
    assert len(trained) == 1


def test_without_options_corrected_labels_are_trained_as_before(pictures, trained):
    fitted(pictures)
    found = fit(pictures, labels=correct(pictures), **OPTIONS)
    assert (found.network, found.folds, found.images) == ("cnn", 2, 19)
    assert trained[-1][2] is not None


def test_an_interrupted_training_on_other_labels_is_not_gone_on_with(
    pictures, monkeypatch, trained
):
    interrupted(pictures, monkeypatch, epochs=2)
    fitted(pictures, epochs=2, labels=correct(pictures))
    assert trained[-1][3] is None


def test_corrected_labels_must_leave_two_classes(pictures):
    rows = "".join(f"{name}/{image}.png,\n" for name in "bcd" for image in range(5))
    with pytest.raises(DatasetError, match="has 1 class with readable images"):
        fitted(pictures, labels=correct(pictures, rows))


def test_clusters_are_nothing_to_train_on(pictures):
    with pytest.raises(OptionError) as caught:
        fitted(pictures, labels="kmeans:3")
    assert str(caught.value) == ("fit takes a table of corrected labels, not labels='kmeans:3'")


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_who_stops_a_training_is_told_what_is_kept(pictures, monkeypatch, epochs):
    def stop(self, *args, original=learner.Learner._right):
        if len(seen) == epochs:
            raise KeyboardInterrupt
        return original(self, *args)

    def write(self, state, original=checkpoint.Checkpoint.write):
        original(self, state)
        seen.append(state)

    seen, told = [], []
    with monkeypatch.context() as patch:
        patch.setattr(learner.Learner, "_right", stop)
        patch.setattr(checkpoint.Checkpoint, "write", write)
        with pytest.raises(KeyboardInterrupt):
            fitted(pictures, epochs=2, listener=Told(notice=told))
    assert told[-1] == Notice("interrupted", epochs, 4)


def test_an_error_in_a_training_is_no_interruption(pictures, monkeypatch):
    told = []
    monkeypatch.setattr(learning, "learn", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fitted(pictures, listener=Told(notice=told))
    assert [notice.kind for notice in told] == ["training"]


def test_a_training_that_goes_on_tells_its_epochs_and_its_time(pictures, monkeypatch):
    monkeypatch.setattr(learning, "seconds_per_image", lambda *_: 2.0)
    interrupted(pictures, monkeypatch, epochs=2)
    told = []
    fitted(pictures, epochs=2, listener=Told(notice=told))
    # Of 40 images 10 are done; and 100 are looked at, 60 at the end, each a third of the work.
    (notice,) = told
    assert notice._replace(than=0) == Notice("resuming", 1, 4, names=("cnn",))
    assert notice.than == pytest.approx(2 * 0.75 * (40 + 100 / 3))


def test_the_time_is_told_before_many_images_are_read(pictures, monkeypatch):
    whole = fitted(pictures, store=pictures.parent / "other")
    monkeypatch.setattr(learning, "seconds_per_image", lambda *_: 2.0)
    for module in (preparing, lifecycle):
        monkeypatch.setattr(module, "SAMPLE", 8)
    told = []
    listener = Told(notice=told, read=told)
    found = fitted(pictures, listener=listener)
    read = [(done, 8) for done in range(1, 9)]
    assert told[:8] == read
    assert told[8]._replace(than=0) == Notice("training", 20, names=("cnn",))
    work = 2 * (20 + 80 / 3)
    assert work < told[8].than < work + 10  # with reading
    assert told[9:] == [(done, 20) for done in range(1, 21)]
    assert same(found.weights, whole.weights)


def test_a_sample_of_one_class_tells_no_time(pictures, monkeypatch):
    def one_class(*_):
        raise DatasetError

    monkeypatch.setattr(lifecycle, "SAMPLE", 8)
    monkeypatch.setattr(lifecycle, "measured", one_class)
    told = []
    assert fitted(pictures, listener=Told(notice=told)).images == 20
    assert [notice.kind for notice in told] == ["training"]


def test_an_estimate_is_of_the_training_that_fit_would_do(pictures, monkeypatch):
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 7)
    how = {"network": "cnn", "folds": 2, **OPTIONS}
    fit(pictures, **how)
    assert estimate_fit(pictures, **how) == ("cnn", 32, 2, 7, 20, 0, 0, 0)
    draw(pictures / "a" / "5.png", 5, 2)
    assert estimate_fit(pictures, **how)[:5] == ("cnn", 32, 2, 3, 21)
    assert estimate_fit(pictures, **OPTIONS)[:5] == ("cnn", 32, 2, 3, 21)
    assert estimate_fit(pictures, **how, seed=1)[:5] == ("cnn", 32, 2, 7, 21)


def test_an_estimate_reads_a_sample_of_each_class(pictures, monkeypatch):
    monkeypatch.setattr(preparing, "SAMPLE", 8)
    moves = []
    found = estimate_fit(pictures, network="cnn", **OPTIONS, listener=Told(read=moves))
    assert moves == [(done, 8) for done in range(1, 9)]
    assert found.images == 20


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_threads_read_as_the_user_asks_for(pictures, monkeypatch, workers):
    asked = []

    def one_by_one(work, parts, at_once, count):
        asked.append(count)
        yield from map(work, parts)

    monkeypatch.setattr(reading, "in_threads", one_by_one)
    fitted(pictures, workers=workers)
    assert set(asked) == {workers}


def test_processes_that_are_started_early_read_many_images(
    pictures, tmp_path, monkeypatch, counted
):
    by_threads = files(fitted(pictures, store=tmp_path / "data" / "x").weights.parent)
    for module in (hiring, reading):
        monkeypatch.setattr(module, "LEAST_IMAGES", 1)
    crews = counted(reading, "Crew")
    found = fitted(pictures, workers=4)
    assert [type(helper) for _, _, helper in crews] == [Helper]
    assert files(found.weights.parent) == by_threads


def test_a_store_in_the_dataset_is_refused(pictures, trained):
    for folds in (1, 2):
        with pytest.raises(ArgumentError) as caught:
            fitted(pictures, store=pictures / "a", folds=folds)
        assert str(caught.value) == (
            f"--store {pictures / 'a'}: overlaps the dataset; choose a separate folder"
        )
    assert trained == []
    assert sorted(os.listdir(pictures / "a")) == [f"{image}.png" for image in range(5)]


def test_one_class_cannot_be_trained_on(pictures):
    for name in "bcd":
        shutil.rmtree(pictures / name)
    with pytest.raises(DatasetError) as caught:
        fitted(pictures)
    assert str(caught.value) == (
        f"{pictures}: has 1 class with readable images; a network needs two"
    )
    assert not store_of(pictures).exists()


def test_a_dataset_without_readable_images_is_told_in_a_line(pictures):
    for path in pictures.glob("*/*.png"):
        path.write_bytes(b"bad")
    with pytest.raises(DatasetError) as caught:
        fitted(pictures)
    assert str(caught.value) == (
        f"{pictures}: has 0 classes with readable images; a network needs two"
    )


def test_unreadable_images_are_left_out(pictures):
    (pictures / "b" / "0.png").write_bytes(b"bad")
    notices = []
    found = fitted(pictures, listener=Told(notice=notices))
    assert notices[0] == Notice("fitted to some", 19, 20)
    assert (found.images, len(read_fitted(found.weights).digests)) == (19, 19)


def test_of_two_processes_one_trains_and_the_other_takes_it(pictures, monkeypatch, trained):
    def wait(path, waiting):
        waiting("moderate 7 on here")
        with monkeypatch.context() as patch:
            patch.setattr(lifecycle, "lock", original)
            fitted(pictures)  # by the other process, meanwhile
        return original(path)

    original, waiting = lifecycle.lock, []
    monkeypatch.setattr(lifecycle, "lock", wait)
    found = fitted(pictures, listener=Told(waiting=waiting))
    assert waiting == ["moderate 7 on here"]
    assert found.images == 20
    assert len(trained) == 1


def test_minutes_limit_the_epochs(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 3)
    monkeypatch.setattr(learning, "seconds_per_image", lambda *_: 1.0)
    # An epoch of both networks sees 20 images.
    for minutes, epochs in ((0.1, 1), (45 / 60, 2), (100, 3)):
        store = tmp_path / str(epochs)
        assert fitted(pictures, epochs=None, minutes=minutes, store=store).epochs == epochs
        found = estimate_fit(pictures, network="cnn", folds=2, minutes=minutes, **OPTIONS)
        assert (found.epochs, found.rate) == (epochs, 1)
        # A third for an image that is only looked at: 20 after each epoch, 60 at the end.
        work = epochs * (20 + 20 / 3) + 20
        assert work < found.seconds < work + 10  # with reading and other features


def test_an_interrupted_training_keeps_its_epochs_whatever_the_time(pictures, monkeypatch, trained):
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 3)
    monkeypatch.setattr(learning, "seconds_per_image", lambda *_: 1.0)
    interrupted(pictures, monkeypatch, epochs=None, minutes=45 / 60)
    monkeypatch.setattr(learning, "seconds_per_image", lambda *_: 9.0)
    assert fitted(pictures, epochs=None, minutes=45 / 60).epochs == 2
    assert trained[-1][3] is not None


def test_an_estimate_writes_nothing(pictures):
    found = estimate_fit(pictures, network="cnn", folds=3, epochs=5, **OPTIONS)
    assert found[:5] == ("cnn", 32, 3, 5, 20)
    assert found.seconds > 5 * 2 * 20 / found.rate
    assert os.listdir(pictures.parent) == ["train"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"epochs": 0}, "epochs: 0 is not positive"),
        ({"minutes": 0}, "minutes: 0 is not positive"),
        ({"minutes": math.nan}, "minutes: nan is not positive"),
        ({"folds": 0}, "folds: 0 is not in [1, 20]"),
        ({"folds": 21}, "folds: 21 is not in [1, 20]"),
        ({"epochs": 2.5}, "epochs: 2.5 is not a whole number"),
        ({"folds": 2.0}, "folds: 2.0 is not a whole number"),
        ({"seed": -1}, "seed: -1 is not in [0, 4294967295]"),
        ({"network": "pixels"}, "network: 'pixels' is unknown"),
        ({"network": "fitted"}, "network: 'fitted' is unknown"),
    ],
)
def test_options_out_of_range_are_refused(how, said):
    with pytest.raises(ArgumentError) as caught:
        FitOptions(**how)
    assert str(caught.value).startswith(said)


def test_epochs_and_minutes_exclude_each_other():
    with pytest.raises(OptionError) as caught:
        FitOptions(epochs=1, minutes=1)
    assert str(caught.value) == "use epochs or minutes, not both"


def test_numbers_of_numpy_are_taken(pictures):
    how = {"epochs": np.int64(1), "folds": np.int64(2), "seed": np.uint32(3)}
    assert fitted(pictures, **how).epochs == 1


@pytest.mark.parametrize(
    ("sides", "device", "expected"),
    [
        ((40, 48), "cpu", ("resnet9_narrow", 32)),
        ((90, 49), "cpu", ("resnet9_narrow", 64)),
        ((200, 96), "cuda", ("resnet9", 64)),
        ((97, 97), "cpu", ("efficientnet_lite0", 64)),
        ((97, 300), "cuda", ("efficientnet_lite0", 64)),
    ],
)
def test_small_pictures_get_a_small_network_and_others_the_default_one(
    tmp_path, sides, device, expected
):
    for number in range(3):
        path = tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", sides).save(path)
    (tmp_path / "pictures" / "a" / "bad.png").write_bytes(b"bad")
    dataset = scan(tmp_path / "pictures")
    assert choose_network(dataset, "auto", device) == expected
    assert choose_network(dataset, "cnn", device) == ("cnn", expected[1])


def test_weights_of_the_store_are_those_of_the_features(pictures):
    found = fitted(pictures)
    store = embed(pictures, backbone="fitted", **OPTIONS)
    assert store.folder.name == f"fitted-{weights_digest(found.weights)[:8]}-float32-float16"
    assert store.manifest.weights == "cnn, 2 folds"
    assert parts_of("cnn", 4, 32).preprocessing == store.manifest.preprocessing
