import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from listeners import Told

from moderate_cli import Cluster, duplicates, embed, estimate, evaluate, fit, report, select
from moderate_cli.api import report as api_report
from moderate_cli.dataset import scan
from moderate_cli.dataset.corrections import Corrections
from moderate_cli.embedding import EmbedOptions
from moderate_cli.errors import ArgumentError
from moderate_cli.fitting import comparing, facts, learning, plan, preparing, resolving
from moderate_cli.fitting.facts import Fit, find_fit, options_of
from moderate_cli.fitting.options import FitOptions
from moderate_cli.fitting.resolving import resolve
from moderate_cli.inputs import request
from moderate_cli.networks.fitted import read_fitted
from moderate_cli.networks.table import weights_digest
from moderate_cli.notices import Notice
from moderate_cli.store import blocks
from moderate_cli.words import say

OPTIONS = {"device": "cpu", "runtime": "torch"}
AUTO = EmbedOptions(**OPTIONS)
FITTED = replace(AUTO, backbone="fitted")


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Trains one epoch; `pixels` is the default backbone."""
    for module in (preparing, resolving, request):
        monkeypatch.setattr(module, "DEFAULT_BACKBONE", "pixels")
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 1)


@pytest.fixture
def trained(counted):
    """Calls of the training."""
    return counted(learning, "learn")


def fitted(root, store=None, **facts):
    """Train a network, and pretend some facts about it."""
    found = fit(root, network="cnn", epochs=1, folds=2, store=store, **OPTIONS)
    path = found.weights.with_name("fitted.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"fit": content["fit"] | facts}))
    return replace(found, **facts)


GOOD, BAD = {"accuracy": 1.0, "pretrained": 0.5}, {"accuracy": 0.5, "pretrained": 0.5}


def resolved(root, options, may_fit=True):
    notices = []
    found = resolve(scan(root), options, Told(notice=notices), may_fit=may_fit)
    return found, notices


def test_auto_is_the_default_backbone_without_a_network(pictures):
    assert resolved(pictures, AUTO) == (replace(AUTO, backbone="pixels"), [])
    assert os.listdir(pictures.parent) == ["train"]


def test_auto_is_the_network_of_the_dataset_where_it_serves(pictures):
    found = fitted(pictures, **GOOD)
    expected = replace(FITTED, weights=found.weights)
    said = Notice("fitted is used", names=("cnn",), share=1.0, than=0.5)
    assert resolved(pictures, AUTO) == (expected, [said])


@pytest.mark.parametrize("options", [AUTO, FITTED])
def test_a_network_of_pictures_that_were_not_turned_warns(pictures, options):
    found = fitted(pictures, **GOOD)
    turned = replace(options, orientation="exif")
    used, (*_, warning) = resolved(pictures, turned)
    assert used == replace(turned, backbone="fitted", weights=found.weights)
    assert warning == Notice("fitted otherwise", names=("ignore",))
    assert say(warning).text == (
        "the network of `moderate fit` was trained with --orientation ignore; use that here, or run"
        " it again with the other"
    )


def test_a_network_that_is_trained_for_features_sees_their_pictures(pictures):
    used, notices = resolved(pictures, replace(FITTED, orientation="exif"))
    assert "fitted otherwise" not in [notice.kind for notice in notices]
    assert options_of(scan(pictures), None) == FitOptions(orientation="exif")
    assert used.orientation == "exif"


def test_auto_is_the_default_backbone_where_the_network_does_not_serve(pictures, monkeypatch):
    fitted(pictures, **BAD)
    monkeypatch.setattr(facts, "file_stats", None)  # the files are not listed for it
    assert resolved(pictures, AUTO) == (replace(AUTO, backbone="pixels"), [])


@pytest.mark.parametrize(
    ("accuracy", "pretrained", "serves"),
    [
        # Of 100 images two standard errors of 0.64 and 0.5 are 0.136.
        (0.8, 0.5, True),
        (0.5, 0.8, False),
        (0.55, 0.5, False),
        (0.65, 0.5, True),
        (0.63, 0.5, False),
        (0.5, 0.5, False),
        (1, 1, False),
        (1, 0, True),
    ],
)
def test_a_network_serves_if_it_is_better_beyond_the_error(accuracy, pretrained, serves):
    found = Fit(Path("network.pt"), "cnn", 32, 2, 1, 100, 4, 100, accuracy, pretrained)
    assert found.serves is serves


def test_the_error_is_larger_if_fewer_images_were_held_out():
    # Of ten images a share of 0.8 has an error of 0.12, of 100 images of 0.04.
    alone = Fit(Path("network.pt"), "cnn", 32, 1, 1, 100, 4, 10, 0.8, 0.4)
    assert replace(alone, pretrained=0.4).serves
    assert not replace(alone, pretrained=0.6).serves
    assert replace(alone, judged=100, pretrained=0.6).serves


def test_one_of_three_images_is_not_better_than_none():
    assert not Fit(Path("network.pt"), "cnn", 32, 3, 1, 3, 3, 3, 1 / 3, 0.0).serves


def test_a_network_of_another_dataset_is_left_alone_by_auto(pictures, tmp_path, trained):
    fitted(pictures, **GOOD, store=tmp_path / "store")
    other = tmp_path / "other"
    shutil.copytree(pictures, other)
    for path in [*other.glob("[abc]/*.png")]:
        draw(path, 6, int(path.stem))
    options = replace(AUTO, store=tmp_path / "store")
    assert resolved(other, options) == (replace(options, backbone="pixels"), [])


@pytest.mark.parametrize(("backbone", "used"), [("auto", "pixels"), ("fitted", "fitted")])
def test_a_report_looks_for_near_duplicates_as_duplicates_does(
    pictures, tmp_path, monkeypatch, backbone, used
):
    fitted(pictures, **GOOD)
    seen = []

    def find(data, original=api_report.duplicates_in, **options):
        seen.append(data.folder.name.split("-")[0])
        return original(data, **options)

    monkeypatch.setattr(api_report, "duplicates_in", find)
    found = report(pictures, tmp_path / "r.html", backbone=backbone, **OPTIONS)
    assert seen == [used]
    assert found.source.stores[0].manifest.spec.backbone == "fitted"


def test_clusters_and_near_duplicates_are_of_the_default_features(pictures, trained):
    fitted(pictures, **GOOD)
    for found in (
        duplicates(pictures, **OPTIONS).source,
        select(pictures, ratio=0.5, dedup=0.99, **OPTIONS).source,
        select(pictures, ratio=0.5, labels="kmeans:2", **OPTIONS).source,
    ):
        assert found.stores[0].manifest.spec.backbone == "pixels"
    with pytest.raises(ArgumentError):
        select(pictures, ratio=0.5, labels="kmeans:2", backbone="fitted", **OPTIONS)


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [("auto", "efficientnet_lite0"), ("fitted", "fitted"), ("resnet18", "resnet18")],
)
def test_own_weights_are_taken_as_they_are(pictures, monkeypatch, backbone, expected):
    fitted(pictures, **GOOD)
    monkeypatch.setattr(resolving, "DEFAULT_BACKBONE", "efficientnet_lite0")
    options = replace(AUTO, backbone=backbone, weights="w.pt")
    assert resolved(pictures, options) == (replace(options, backbone=expected), [])


def test_other_backbones_stay(pictures):
    fitted(pictures, **GOOD)
    options = replace(AUTO, backbone="resnet18")
    assert resolved(pictures, options) == (options, [])


def test_fitted_is_the_network_of_the_dataset_also_if_it_does_not_serve(pictures, trained):
    found = fitted(pictures, **BAD)
    assert resolved(pictures, FITTED) == (replace(FITTED, weights=found.weights), [])
    assert len(trained) == 1


def test_fitted_trains_a_network_if_there_is_none(pictures, trained):
    found, notices = resolved(pictures, FITTED)
    assert len(trained) == 1
    fit, fresh = find_fit(scan(pictures), None)
    assert (fit.network, fit.folds, fresh) == ("resnet9_narrow", 1, True)
    assert found == replace(FITTED, weights=fit.weights)
    assert [notice.kind for notice in notices] == ["fitting", "training", "fitted alone"]
    alone = Notice("fitted alone", names=("resnet9_narrow",), share=fit.accuracy)
    assert notices[::2] == [Notice("fitting"), alone]
    # No other features were computed to compare it.
    assert fit.pretrained is None
    assert not list(pictures.with_name("train.moderate").glob("pixels*"))


def test_a_network_is_compared_with_default_features_that_are_there(pictures):
    embed(pictures, backbone="pixels", **OPTIONS)
    _, notices = resolved(pictures, FITTED)
    assert [notice.kind for notice in notices] == ["fitting", "training", "fitted"]
    assert notices[-1].than == 1


@pytest.mark.parametrize(("pretrained", "used"), [(0.5, "fitted"), (1.0, "pixels")])
def test_auto_compares_a_network_once(pictures, monkeypatch, trained, pretrained, used):
    fitted(pictures, accuracy=1.0, pretrained=None)
    asked = []

    def head(*args):
        asked.append(args)
        return pretrained

    monkeypatch.setattr(comparing, "accuracy_of_head", head)
    for _ in range(2):
        found, notices = resolved(pictures, AUTO)
        assert found.backbone == used
        assert [notice.than for notice in notices] == [0.5] * (used == "fitted")
    assert (len(asked), len(trained)) == (1, 1)


def test_fit_compares_a_network_without_training(pictures, trained):
    fitted(pictures, pretrained=None)
    found = fit(pictures, network="cnn", epochs=1, folds=2, **OPTIONS)
    assert found.pretrained == 1
    assert find_fit(scan(pictures), None) == (found, True)
    assert len(trained) == 1


@pytest.mark.parametrize("case", ["a part", "other images", "other labels"])
def test_auto_does_not_compare_a_network(pictures, monkeypatch, case):
    fitted(pictures, accuracy=1.0, pretrained=None)
    monkeypatch.setattr(comparing, "accuracy_of_head", None)
    dataset = scan(pictures)
    if case == "other images":
        draw(pictures / "a" / "5.png", 5, 2)
        dataset = scan(pictures)
    if case == "other labels":
        corrected = dataset.labels.copy()
        corrected[0] = 3
        dataset = replace(
            dataset, corrections=Corrections("c.csv", "", dataset.labels, corrected, key=b"k")
        )
    found = resolve(dataset, AUTO, Told(), may_fit=case != "a part")
    assert found.backbone == "pixels"


@pytest.mark.parametrize("known", [GOOD, BAD])
def test_a_network_of_older_images_is_taken_with_a_notice(pictures, trained, known):
    found = fitted(pictures, **known)
    draw(pictures / "a" / "5.png", 5, 2)
    expected = replace(FITTED, weights=found.weights)
    assert resolved(pictures, FITTED) == (expected, [Notice("fitted is old")])
    _, notices = resolved(pictures, AUTO)
    kinds = [notice.kind for notice in notices]
    assert kinds == (["fitted is used", "fitted is old"] if known is GOOD else [])
    assert len(trained) == 1


def test_a_network_of_other_labels_is_taken_with_a_notice(pictures, trained):
    first = fitted(pictures, **GOOD)
    file = pictures.parent / "corrected.csv"
    file.write_text("path,label\na/0.png,b\n")

    def warnings(labels=None, **options):
        told, how = [], {**OPTIONS, **options}
        found = select(pictures, ratio=0.5, labels=labels, listener=Told(notice=told), **how)
        return found, [one for one in told if one.kind.startswith("fitted to")]

    for backbone in ("auto", "fitted"):
        found, (warning,) = warnings(file, backbone=backbone)
        assert found.source.stores[0].manifest.weights_sha256 == weights_digest(first.weights)
        assert warning == Notice("fitted to other labels", names=(str(file),))
    fit(pictures, network="cnn", epochs=1, folds=2, labels=file, **OPTIONS)
    assert warnings(file, backbone="fitted")[1] == []
    # Scores of its training are of the corrected labels, too.
    assert warnings(file, backbone="fitted", criterion="fitted-aum")[1] == []
    _, (warning,) = warnings(backbone="fitted")
    assert warning == Notice("fitted to other labels")
    draw(pictures / "a" / "5.png", 5, 2)
    _, notices = resolved(pictures, FITTED)
    assert notices == [Notice("fitted is old")]
    assert len(trained) == 2


def test_fitted_trains_on_corrected_labels_if_there_is_no_network(pictures, trained):
    file = pictures.parent / "corrected.csv"
    file.write_text("path,label\na/0.png,b\nc/1.png,\n")
    found = select(pictures, ratio=0.5, labels=file, backbone="fitted", **OPTIONS)
    ((_, examples, *_),) = trained
    assert (len(examples.members), len(found.rows)) == (19, 10)


def test_a_network_of_older_images_can_be_used_at_once(pictures):
    found = fitted(pictures, **GOOD)
    draw(pictures / "a" / "5.png", 5, 2)
    notices = []
    store = embed(pictures, **OPTIONS, listener=Told(notice=notices))
    assert store.manifest.weights_sha256 == weights_digest(found.weights)
    assert len(store) == 21
    assert [notice.kind for notice in notices] == ["fitted is used", "fitted is old"]


@pytest.mark.parametrize("how", [{"part": (1, 2)}, {"cluster": Cluster()}])
def test_parts_and_clusters_train_nothing(pictures, trained, how):
    with pytest.raises(ArgumentError) as caught:
        embed(pictures, backbone="fitted", **how, **OPTIONS)
    assert str(caught.value) == (
        f"{pictures}: has no network of its own; run `moderate fit`, whose --dry-run estimates the"
        " time"
    )
    assert trained == []


def test_parts_share_the_network_that_is_there(pictures, tmp_path, monkeypatch):
    weights = fitted(pictures).weights
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)
    whole = embed(pictures, backbone="fitted", weights=weights, store=tmp_path / "whole", **OPTIONS)
    assert embed(pictures, backbone="fitted", part=(1, 2), **OPTIONS) is None
    store = embed(pictures, backbone="fitted", part=(2, 2), **OPTIONS)
    assert np.array_equal(store.features, whole.features)


def test_an_estimate_trains_nothing(pictures, trained):
    with pytest.raises(ArgumentError) as caught:
        estimate(pictures, backbone="fitted", **OPTIONS)
    assert str(caught.value) == (
        f"{pictures}: has no network of its own; run `moderate fit`, whose --dry-run estimates the"
        " time"
    )
    assert trained == []
    fitted(pictures)
    assert estimate(pictures, backbone="fitted", **OPTIONS).images == 20


def test_features_of_a_new_network_take_the_place_of_those_of_the_old_one(pictures):
    fitted(pictures)
    before = embed(pictures, backbone="fitted", **OPTIONS)
    fit(pictures, network="cnn", epochs=2, folds=2, **OPTIONS)
    after = embed(pictures, backbone="fitted", **OPTIONS)
    assert before.folder != after.folder
    assert not np.array_equal(before.features, after.features)


def test_a_network_is_ranked_together_with_another_backbone(pictures):
    fitted(pictures)
    found = select(pictures, ratio=0.5, backbone=("pixels", "fitted"), **OPTIONS)
    assert len(found.rows) == 10


def test_auto_and_what_it_stands_for_are_not_ranked_together(pictures):
    with pytest.raises(ArgumentError):
        select(pictures, ratio=0.5, backbone=("pixels", "auto"), **OPTIONS)


@pytest.mark.parametrize("store", [None, "store"])
def test_a_test_set_is_judged_by_the_network_of_the_data(pictures, tmp_path, trained, store):
    test = tmp_path / "test"
    for label, name in enumerate("abcd"):
        for image in range(2):
            draw(test / name / f"{image}.png", label, image + 3)
    where = {} if store is None else {"store": tmp_path / store}
    found = fit(pictures, network="cnn", epochs=1, folds=2, **where, **OPTIONS)
    evaluate(
        pictures, test=test, ratio=[0.5], strategy=["easy"], seeds=1, backbone="fitted",
        **where, **OPTIONS,
    )  # fmt: skip
    assert len(trained) == 1
    folder = tmp_path / ("test.moderate" if store is None else f"{store}-test")
    name = f"fitted-{weights_digest(found.weights)[:8]}-float32-float16"
    assert name in os.listdir(folder)
    assert "fitted" not in os.listdir(folder)


def test_a_test_set_with_a_network_of_its_own_is_judged_by_that_of_the_data(pictures, tmp_path):
    test = tmp_path / "test"
    for label, name in enumerate("abcd"):
        for image in range(5):
            draw(test / name / f"{image}.png", label, image)
    fit(test, network="cnn", epochs=1, folds=2, seed=1, **OPTIONS)
    found = fitted(pictures, **GOOD)
    for backbone in ("fitted", "auto"):
        evaluate(
            pictures, test=test, ratio=[0.5], strategy=["easy"], seeds=1, backbone=backbone,
            **OPTIONS,
        )  # fmt: skip
        sets = [name for name in os.listdir(tmp_path / "test.moderate") if "-float16" in name]
        digest = weights_digest(found.weights)[:8]
        assert sorted(sets) == [f"fitted-{digest}-float32-float16", "pixels-float32-float16"]


def test_a_damaged_network_counts_as_none(pictures, trained):
    found = fitted(pictures, **GOOD)
    found.weights.write_bytes(found.weights.read_bytes()[:-20])
    assert resolved(pictures, AUTO) == (replace(AUTO, backbone="pixels"), [])
    with pytest.raises(ArgumentError):
        resolved(pictures, FITTED, may_fit=False)
    embed(pictures, backbone="fitted", **OPTIONS)
    assert len(trained) == 2
    assert len(read_fitted(found.weights).tails) == 1
