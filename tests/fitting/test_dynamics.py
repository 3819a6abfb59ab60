import io
import math
import tarfile

import numpy as np
import pytest
import torch
from conftest import draw
from hypothesis import given
from hypothesis import strategies as st
from listeners import Told

from moderate_cli import embed, fit, score, select
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.fitting import dynamics, learner, preparing
from moderate_cli.fitting.dynamics import Dynamics, at_same_ranks
from moderate_cli.networks.fitted import read_fitted
from moderate_cli.results import LabeledFeatures
from moderate_cli.store.recorded import NAMES

CPU = torch.device("cpu")
HOW = {"network": "cnn", "epochs": 3, "folds": 2}
OPTIONS = {"device": "cpu", "runtime": "torch"}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Compares networks with the backbone `pixels`, in place of the default one."""
    monkeypatch.setattr(preparing, "DEFAULT_BACKBONE", "pixels")


def recorded(*epochs, members=(0, 1), lengths=(2.0, 3.0)):
    """Record the logits of two images in each epoch, and return their scores by name."""
    found = Dynamics(2, len(epochs), CPU)
    for epoch, logits in enumerate(epochs):
        found.record(
            epoch, torch.arange(2), torch.tensor(logits), torch.tensor(members),
            torch.tensor(lengths),
        )  # fmt: skip
    return dict(zip(NAMES, found.scores().tolist(), strict=True))


LEVEL = [0.0, 0.0]
LEFT, RIGHT = [math.log(3), 0.0], [0.0, math.log(3)]  # probabilities 3/4 and 1/4


def test_el2n_is_the_length_of_the_error():
    assert recorded([LEFT, LEFT])["el2n"] == pytest.approx([0.25 * 2**0.5, 0.75 * 2**0.5])


def test_grand_is_the_error_times_the_length_of_the_input_of_the_head():
    found = recorded([LEFT, LEFT])
    assert found["grand"] == pytest.approx([2 * 0.25 * 2**0.5, 3 * 0.75 * 2**0.5])


def test_early_scores_are_means_of_the_first_tenth_of_the_epochs():
    found = recorded([LEFT, LEFT], [RIGHT, LEFT], *18 * [[LEVEL, LEVEL]])
    assert found["el2n"] == pytest.approx([0.5 * 2**0.5, 0.75 * 2**0.5])


def test_aum_is_the_mean_margin_of_another_class():
    found = recorded([LEFT, LEFT], [LEVEL, LEFT])
    assert found["aum"] == pytest.approx([-math.log(3) / 2, math.log(3)])


def test_forgetting_counts_turns_from_right_to_wrong():
    found = recorded([LEFT, LEFT], [RIGHT, RIGHT], [LEFT, RIGHT], [RIGHT, LEFT], [RIGHT, RIGHT])
    assert found["forgetting"] == [2, 1]


def test_an_image_that_is_never_right_is_forgotten_more_than_any_other():
    assert recorded([RIGHT, LEFT], [RIGHT, RIGHT], [LEVEL, LEFT])["forgetting"] == [4, 1]


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 30))
def test_unseen_images_get_scores_of_seen_ones_in_their_own_order(seed, seen, unseen):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 9, seen + unseen).astype(np.float32)
    mask = np.arange(seen + unseen) >= seen
    found = at_same_ranks(scores, mask)
    assert np.array_equal(found[~mask], scores[~mask])
    assert np.isin(found[mask], scores[~mask]).all()
    order = np.argsort(scores[mask], kind="stable")
    assert (np.diff(found[mask][order]) >= 0).all()
    equal = np.diff(scores[mask][order]) == 0
    assert (np.diff(found[mask][order])[equal] == 0).all()


def test_a_shift_of_unseen_images_does_not_count():
    scores = np.arange(20, dtype=np.float32)
    mask = np.arange(20) % 2 == 1
    moved = np.where(mask, scores + 100, scores)
    assert at_same_ranks(moved, mask)[mask].tolist() == scores[~mask].tolist()


@pytest.fixture
def outputs(monkeypatch):
    """Outputs and inputs of the head of each image in each pass: (epoch, row, logits, length)."""
    seen = []

    def record(self, epoch, rows, logits, members, lengths, original=Dynamics.record):
        seen.extend(zip(
            [epoch] * len(rows), rows.tolist(), logits.tolist(), lengths.tolist(), strict=True
        ))  # fmt: skip
        original(self, epoch, rows, logits, members, lengths)

    monkeypatch.setattr(dynamics.Dynamics, "record", record)
    return seen


@pytest.mark.parametrize(("folds", "passes"), [(1, 1), (2, 1), (3, 2)])
def test_each_image_is_recorded_once_an_epoch_by_each_network_that_sees_it(
    pictures, outputs, folds, passes
):
    fit(pictures, **{**HOW, "folds": folds}, **OPTIONS)
    found = [(epoch, row) for epoch, row, *_ in outputs]
    assert sorted(found) == sorted(
        (e, r) for e in range(3) for r in range(20) for _ in "x" * passes
    )


def test_the_length_of_the_input_of_the_head_has_its_1_for_the_bias(pictures, outputs, monkeypatch):
    monkeypatch.setattr(learner, "computes_in_half", lambda *_: False)
    found = fit(pictures, **{**HOW, "folds": 1, "epochs": 1}, **OPTIONS)
    features = embed(pictures, backbone="fitted", dtype="float32", **OPTIONS).features
    held = np.flatnonzero(read_fitted(found.weights).folds == 0)
    assert len(held) == 2
    for _, row, _, length in outputs[-2:]:  # of the trained network
        assert length == pytest.approx(math.sqrt(1 + np.square(features[row]).sum()), rel=1e-3)


def test_scores_of_the_training_are_those_that_were_recorded(pictures, outputs):
    fit(pictures, **{**HOW, "folds": 3}, **OPTIONS)
    members = np.repeat(np.arange(4), 5)
    margins = np.zeros(20)
    for _, row, logits, _ in outputs:
        own = logits.pop(members[row])
        margins[row] += max(logits) - own
    found = score(pictures, backbone="fitted", criterion="fitted-aum", **OPTIONS)
    np.testing.assert_allclose(found.values, margins / 6, rtol=1e-5)
    assert (found.criterion, found.paths[0]) == ("fitted-aum", "a/0.png")


@pytest.mark.parametrize("criterion", [f"fitted-{name}" for name in NAMES])
def test_a_selection_takes_scores_of_the_training(pictures, criterion):
    fit(pictures, **HOW, **OPTIONS)
    found = select(
        pictures, ratio=0.5, strategy="easy", scope="global", criterion=criterion,
        min_per_class=0, backbone="fitted", **OPTIONS,
    )  # fmt: skip
    values = found.scores.values
    assert values[found.mask].max() <= values[~found.mask].min()


def test_scores_are_kept_by_image_and_class(pictures):
    fit(pictures, **HOW, **OPTIONS)
    options = {"backbone": "fitted", "criterion": "fitted-aum", **OPTIONS}
    found = score(pictures, **options)
    before = dict(zip(found.paths, found.values, strict=True))
    # A copy in the same class is known, whatever its name.
    (pictures / "a" / "0.png").rename(pictures / "a" / "9.png")
    after = score(pictures, **options)
    assert after.values[list(after.paths).index("a/9.png")] == before["a/0.png"]
    # With another label it is not.
    (pictures / "a" / "9.png").rename(pictures / "b" / "9.png")
    with pytest.raises(ArgumentError) as caught:
        score(pictures, **options)
    assert str(caught.value) == (
        "criterion fitted-aum: the network was not trained on 1 of 20 images with their current"
        " labels; run `moderate fit`"
    )


def test_images_that_came_later_have_no_score_until_the_network_is_trained_on_them(pictures):
    fit(pictures, **HOW, **OPTIONS)
    draw(pictures / "a" / "5.png", 5, 2)
    options = {"backbone": "fitted", "criterion": "fitted-el2n", **OPTIONS}
    with pytest.raises(ArgumentError):
        score(pictures, **options)
    fit(pictures, **HOW, **OPTIONS)
    assert np.isfinite(score(pictures, **options).values).all()


def test_images_of_tar_files_have_scores_of_the_training_too(pictures, tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for number, image in enumerate(sorted(pictures.rglob("*.png"))):
            for suffix, content in (
                ("png", image.read_bytes()), ("cls", str(number // 5).encode())
            ):  # fmt: skip
                member = tarfile.TarInfo(f"{number:02}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    fit(path, **HOW, **OPTIONS)
    options = {"backbone": "fitted", "criterion": "fitted-aum", **OPTIONS}
    found = score(path, **options)
    assert found.paths[0] == "00"
    fit(pictures, **HOW, **OPTIONS)
    assert found.values.tolist() == score(pictures, **options).values.tolist()


@pytest.mark.parametrize("backbone", ["auto", "pixels", ("fitted", "pixels")])
def test_scores_of_the_training_need_the_backbone_fitted(pictures, backbone):
    notices = []
    for call in (score, lambda *args, **how: select(*args, ratio=0.5, **how)):
        with pytest.raises(OptionError) as caught:
            call(
                pictures, criterion="fitted-aum", backbone=backbone,
                listener=Told(notice=notices), **OPTIONS,
            )  # fmt: skip
        assert str(caught.value) == "criterion='fitted-aum' needs backbone='fitted'"
    assert notices == []


def test_a_feature_set_of_the_network_has_its_scores_and_another_has_not(pictures, tmp_path):
    found = fit(pictures, **HOW, **OPTIONS)
    store = embed(pictures, backbone="fitted", **OPTIONS)
    assert np.isfinite(score(store, criterion="fitted-grand").values).all()
    with pytest.raises(OptionError):
        score(embed(pictures, backbone="pixels"), criterion="fitted-grand")
    # Of a network in another store nothing is known here.
    other = embed(
        pictures, backbone="fitted", weights=found.weights, store=tmp_path / "other", **OPTIONS
    )
    with pytest.raises(ArgumentError) as caught:
        score(other, criterion="fitted-grand")
    assert str(caught.value) == (
        "criterion fitted-grand needs the features of a network that `moderate fit` trained on"
        " these images"
    )


def test_scores_of_a_replaced_network_are_not_taken(pictures):
    fit(pictures, **HOW, **OPTIONS)
    before = embed(pictures, backbone="fitted", **OPTIONS)
    fit(pictures, **{**HOW, "seed": 1}, **OPTIONS)
    assert LabeledFeatures.of(before).recorded() is None


def test_copies_within_a_class_share_the_mean_of_their_scores(pictures, outputs):
    for image in range(1, 5):
        (pictures / "a" / f"{image}.png").write_bytes((pictures / "a" / "0.png").read_bytes())
    fit(pictures, **HOW, **OPTIONS)
    found = score(pictures, backbone="fitted", criterion="fitted-aum", **OPTIONS).values
    assert len(set(found[:5])) == 1
    margins = [max(logits[1:]) - logits[0] for _, row, logits, _ in outputs if row < 5]
    assert found[0] == pytest.approx(np.mean(margins), rel=1e-5)
