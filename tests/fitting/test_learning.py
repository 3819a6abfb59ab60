import copy

import numpy as np
import pytest
import torch

from moderate_cli.errors import TrainingError
from moderate_cli.fitting import learner, learning
from moderate_cli.fitting.examples import Examples
from moderate_cli.fitting.learner import Training, batch_size
from moderate_cli.fitting.learning import learn, seconds_per_image
from moderate_cli.networks.classifiers import drop_head
from moderate_cli.networks.fitted import parts_of
from moderate_cli.training.descent import Descent

TRAINING = Training("cnn", 16, 2, 2, 0, torch.device("cpu"))


def drawn_examples(n=24, classes=3, side=16, seed=0):
    """Return pictures with a bright column at the place of their class."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 120, (n, 3, side, side), dtype=np.uint8)
    members = np.arange(n) % classes
    pixels[np.arange(n), :, :, 4 * members] = 250
    digests = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    return Examples(torch.from_numpy(pixels), members, classes, digests)


EXAMPLES = drawn_examples()


def learnt(training=TRAINING, examples=EXAMPLES, before=None, state=None, save=None, move=None):
    save, move = save or (lambda _: None), move or (lambda *_: None)
    return learn(training, examples, before, state, save, move)


def same(one, other):
    """Whether two sets of networks are the same, bit by bit."""
    return all(
        torch.equal(a[name], b[name])
        for a, b in zip(one.tails, other.tails, strict=True)
        for name in a
    ) and all(torch.equal(one[at], other[at]) for at in (4, 5))


def outputs(fitted, fold, examples, headed=True):
    """Compute the outputs of the network of a fold, or its features, plainly."""
    parts = parts_of(fitted.network, fitted.classes, fitted.size)
    parts.tail.load_state_dict(fitted.tails[fold])
    if not headed:
        drop_head(parts.tail)
    with torch.inference_mode():
        return parts.tail.eval()((examples.inputs.float() - 127.5) / 64).numpy()


@pytest.fixture
def exact(monkeypatch):
    """Computes in float32, also where the processor is fast at bfloat16."""
    monkeypatch.setattr(learner, "computes_in_half", lambda *_: False)


@pytest.fixture
def batches(monkeypatch):
    """Rows of each batch that a network is trained on."""
    seen = []

    def step(self, tail, descent, rows, original=learner.Learner.step):
        seen.append(rows.tolist())
        return original(self, tail, descent, rows)

    monkeypatch.setattr(learner.Learner, "step", step)
    return seen


@pytest.mark.parametrize("folds", [2, 3])
def test_the_network_of_a_fold_sees_all_other_images_once_an_epoch(batches, monkeypatch, folds):
    monkeypatch.setattr(learner, "BATCH", 4)
    fitted, *_ = learnt(TRAINING._replace(folds=folds))
    numbers = fitted.known_folds(EXAMPLES.digests)
    assert sorted(set(numbers.tolist())) == list(range(folds))
    size = 24 - 24 // folds  # images of an epoch
    epochs = np.array(batches).reshape(folds, 2, size)
    for fold in range(folds):
        expected = np.flatnonzero(numbers != fold).tolist()
        first, second = epochs[fold].tolist()
        assert sorted(first) == sorted(second) == expected
        assert first != second


def test_copies_of_an_image_are_not_seen_either(batches):
    examples = drawn_examples()
    examples.digests[12:] = examples.digests[:12]
    fitted, *_ = learnt(examples=examples)
    assert len(fitted.digests) == 12
    numbers = fitted.known_folds(examples.digests)
    for at, rows in enumerate(batches):
        assert set(numbers[rows]) == {1 - at // 2}


def test_a_single_network_sees_all_images_but_a_tenth(batches, monkeypatch):
    monkeypatch.setattr(learner, "LEAST_BATCH", 40)
    fitted, _, judged, _ = learnt(TRAINING._replace(folds=1), drawn_examples(40))
    held = np.flatnonzero(fitted.known_folds(drawn_examples(40).digests) == 0).tolist()
    assert (len(held), judged, len(fitted.tails)) == (4, 4, 1)
    assert [sorted([*rows, *held]) for rows in batches] == [list(range(40))] * 2


def test_a_single_network_is_judged_also_if_its_tenth_is_gone():
    training, examples = TRAINING._replace(folds=1), drawn_examples(40)
    older, *_ = learnt(training, examples)
    rows = np.flatnonzero(older.known_folds(examples.digests) > 0)
    few = Examples(examples.inputs[rows], examples.members[rows], 3, examples.digests[rows])
    assert learnt(training, few, older)[2] > 0


def scripted(monkeypatch, *accuracies):
    """Let the network of a single fold pretend accuracies, and return its weights of each epoch."""
    told, epochs = iter([*accuracies, 0.0]), []
    monkeypatch.setattr(learner.Learner, "_right", lambda *_: next(told))
    one = learner.Learner(TRAINING, EXAMPLES, None, lambda *_: None)
    rows = np.arange(24)
    found = one.learn(
        0, rows[:12], rows[12:], None, lambda state: epochs.append(copy.deepcopy(state["tail"]))
    )
    return [
        epoch for epoch, tail in enumerate(epochs)
        if all(torch.equal(tail[name], found.tail[name]) for name in tail)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("accuracies", "best"), [((0.5, 0.4), 0), ((0.4, 0.5), 1), ((0.5, 0.5), 1)]
)
def test_the_best_epoch_is_kept_and_of_equal_ones_the_last(monkeypatch, accuracies, best):
    assert scripted(monkeypatch, *accuracies) == [best]


def test_held_out_images_decide_which_epoch_is_best(monkeypatch):
    asked = []

    def right(self, tail, rows, original=learner.Learner._right):
        asked.append(rows.tolist())
        return original(self, tail, rows)

    monkeypatch.setattr(learner.Learner, "_right", right)
    fitted, *_ = learnt()
    numbers = fitted.known_folds(EXAMPLES.digests)
    assert asked == [np.flatnonzero(numbers == fold).tolist() for fold in (0, 0, 0, 1, 1, 1)]


def test_the_accuracy_is_that_of_images_that_a_network_did_not_see(exact):
    fitted, right, judged, _ = learnt(TRAINING._replace(epochs=5))
    numbers = fitted.known_folds(EXAMPLES.digests)
    found = [outputs(fitted, fold, EXAMPLES).argmax(axis=1) for fold in (0, 1)]
    assert right == (np.where(numbers == 0, *found) == EXAMPLES.members).sum()
    assert judged == 24


@pytest.mark.parametrize("right", [0, 1, 2, 49])
def test_images_with_the_right_class_are_counted_exactly(monkeypatch, right):
    examples = drawn_examples(98, classes=2)
    monkeypatch.setattr(learner.Learner, "_right", lambda *_: right)
    assert learnt(TRAINING._replace(epochs=1), examples)[1:3] == (2 * right, 98)


def test_a_network_learns_classes_that_can_be_told_apart():
    _, right, judged, _ = learnt(TRAINING._replace(epochs=30), drawn_examples(48))
    assert right / judged > 0.6


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    first, *_ = learnt()
    torch.manual_seed(5)
    assert same(learnt()[0], first)
    assert not same(learnt(TRAINING._replace(seed=1))[0], first)


def test_folds_begin_with_different_weights(monkeypatch):
    monkeypatch.setattr(Descent, "step", lambda *_: None)
    one, other = learnt()[0].tails
    assert not torch.equal(one["0.weight"], other["0.weight"])


@pytest.mark.parametrize("epoch", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("before", [False, True])
def test_an_interrupted_training_gives_the_same_weights(tmp_path, epoch, before):
    training, saved = TRAINING._replace(epochs=3), []
    older = learnt(TRAINING._replace(seed=3))[0] if before else None
    whole = learnt(training, before=older)

    def stop(state):
        torch.save(state, tmp_path / "state.pt")
        saved.append(state)
        if len(saved) == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learnt(training, before=older, save=stop)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    moves, again = [], []
    found = learnt(
        training, before=older, state=state, save=again.append,
        move=lambda *move: moves.append(move),
    )  # fmt: skip
    assert same(found[0], whole[0])
    assert found[1:3] == whole[1:3]
    assert np.array_equal(found.scores, whole.scores)
    assert len(saved) + len(again) == 6
    assert moves[0] == (12 * (epoch + 1), 72)


@pytest.mark.parametrize(
    ("n", "folds", "total"), [(24, 3, 48), (300, 3, 600), (40, 1, 36), (24, 1, 21)]
)
def test_progress_counts_what_all_networks_see(n, folds, total):
    moves = []
    training = TRAINING._replace(folds=folds, epochs=1)
    learnt(training, drawn_examples(n), move=lambda *move: moves.append(move))
    assert moves == sorted(moves)
    assert {of for _, of in moves} == {total}
    assert moves[-1] == (total, total)


def test_training_goes_on_from_older_weights_of_the_same_fold(monkeypatch):
    older = learnt()[0]
    monkeypatch.setattr(Descent, "step", lambda *_: None)
    fitted = learnt(TRAINING._replace(seed=9), before=older)[0]
    names = [name for name, _ in parts_of("cnn", 3, 16).tail.named_parameters()]
    for after, before in zip(fitted.tails, older.tails, strict=True):
        assert all(torch.equal(after[name], before[name]) for name in names)
    assert np.array_equal(fitted.folds, older.folds)


def test_images_that_were_all_in_one_fold_are_divided_anew(batches):
    older, *_ = learnt()
    rows = np.flatnonzero(older.known_folds(EXAMPLES.digests) == 0)
    few = Examples(EXAMPLES.inputs[rows], EXAMPLES.members[rows], 3, EXAMPLES.digests[rows])
    batches.clear()
    fitted, *_ = learnt(examples=few, before=older)
    assert np.bincount(fitted.folds).tolist() == [6, 6]
    # The older network of the second fold has seen them.
    assert same(fitted, learnt(examples=few)[0])


def test_digests_are_kept_in_order_with_their_folds():
    fitted, *_ = learnt()
    keys = fitted.digests.view("S16").ravel()
    assert (keys[:-1] < keys[1:]).all()
    assert sorted(map(bytes, fitted.digests)) == sorted(map(bytes, EXAMPLES.digests))


def test_features_of_all_folds_can_be_compared(exact):
    fitted, *_ = learnt(TRAINING._replace(folds=3))
    features = [outputs(fitted, fold, EXAMPLES, headed=False) for fold in range(3)]
    found = [
        one @ turn.numpy() + shift.numpy()
        for one, turn, shift in zip(features, fitted.turns, fitted.shifts, strict=True)
    ]
    assert np.array_equal(found[0], features[0])
    for one, plain in zip(found[1:], features[1:], strict=True):
        np.testing.assert_allclose(one.mean(axis=0), features[0].mean(axis=0), atol=1e-4)
        assert np.square(one - found[0]).sum() < np.square(plain - features[0]).sum()


def test_the_random_state_of_torch_stays_as_it_was():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    learnt()
    assert torch.equal(torch.get_rng_state(), before)
    assert seconds_per_image(TRAINING, EXAMPLES, 24) > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_pretrained_networks_keep_their_batch_statistics():
    parts = parts_of("efficientnet_lite0", 3, 0)
    names = {name for name, _ in parts.tail.named_buffers()}
    before = copy.deepcopy(parts.tail.state_dict())
    with torch.inference_mode():
        shape = parts.stem(torch.zeros(1, 3, 224, 224)).shape[1:]
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(6, 2, *shape, generator=generator).half()
    examples = Examples(inputs, np.arange(6) % 3, 3, drawn_examples(6).digests)
    fitted, *_ = learnt(TRAINING._replace(network="efficientnet_lite0"), examples)
    for tail in fitted.tails:
        assert all(torch.equal(tail[name], before[name]) for name in names)
        changed = {name for name in tail if not torch.equal(tail[name], before[name])}
        assert changed == {name for name, _ in parts.tail.named_parameters()}


def test_small_networks_learn_their_batch_statistics():
    tail = learnt()[0].tails[0]
    assert int(tail["1.num_batches_tracked"]) == 2
    assert not torch.equal(tail["1.running_mean"], torch.zeros(16))


def test_a_time_of_an_image_is_measured_without_a_change(batches):
    examples = drawn_examples(6)
    pixels = examples.inputs.clone()
    assert seconds_per_image(TRAINING, examples, 6) > 0
    assert torch.equal(examples.inputs, pixels)
    assert {len(rows) for rows in batches} == {6}
    assert max(map(max, batches)) < 6


@pytest.mark.parametrize(
    ("moments", "batches", "least"),
    [
        ([0, 0.9, 1.2, 1.6, 1.8, 2.7, 3, 3.3, 3.6, 3.9, 4.2], 10, 0.2),
        ([0, 1, 2, 3.1, 4.4, 5.1], 5, 0.7),  # no more after five seconds
        ([0, 3, 8], 2, 5),
        ([0, 90], 1, 90),
    ],
)
def test_a_time_is_the_least_of_several_and_a_slow_network_has_fewer(
    monkeypatch, batches, moments, least
):
    clock, steps = iter(moments), []
    monkeypatch.setattr(learning, "_moment", lambda _: next(clock))
    monkeypatch.setattr(learner.Learner, "step", lambda *args: steps.append(args))
    assert seconds_per_image(TRAINING, EXAMPLES, 24) * 16 == pytest.approx(least)
    assert len(steps) == batches


@pytest.mark.parametrize(
    ("images", "device", "network", "size", "batch"),
    [
        (10, "cpu", "resnet9", 32, 10),
        (320, "cuda", "resnet9", 32, 20),
        (50_000, "cpu", "resnet9", 32, 128),
        (9999, "cuda", "resnet9", 32, 128),
        (10_000, "cuda", "resnet9", 32, 256),
        (10_000, "cuda", "resnet9", 64, 128),
        (10_000, "cuda", "efficientnet_lite0", 224, 128),
    ],
)
def test_a_batch_is_large_if_a_gpu_would_wait_for_the_next_one(
    images, device, network, size, batch
):
    training = Training(network, size, 1, 1, 0, torch.device(device))
    assert batch_size(training, images) == batch


def test_images_that_many_networks_see_are_counted():
    assert TRAINING._replace(folds=1, epochs=5).images(10) == 45
    assert TRAINING._replace(folds=3, epochs=5).images(10) == 100


def test_images_that_are_only_looked_at_count_a_third():
    assert TRAINING._replace(folds=1, epochs=5).work(30) == 5 * 27 + (5 * (3 + 3) + 3) / 3
    assert TRAINING._replace(folds=3, epochs=5).work(30) == 5 * 60 + (5 * 30 + 30 + 90) / 3


NOTHING = (
    "so it is not kept; check the labels, or run `moderate fit` with another --seed or --network"
)


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize(
    ("value", "fault"),
    [(0.0, "the same features for all images"), (np.nan, "features that are not finite")],
)
def test_a_network_that_knows_nothing_is_refused(monkeypatch, folds, value, fault):
    def learn_last(self, fold, *args, original=learner.Learner.learn):
        found = original(self, fold, *args)
        spoiled = {
            name: torch.full_like(one, value) if one.is_floating_point() else one
            for name, one in found.tail.items()
        }
        return found._replace(tail=spoiled) if fold == folds - 1 else found

    monkeypatch.setattr(learner.Learner, "learn", learn_last)
    with pytest.raises(TrainingError) as caught:
        learnt(TRAINING._replace(folds=folds))
    assert str(caught.value) == f"cnn: has {fault} after this training, {NOTHING}"


def test_a_training_that_diverges_is_refused(monkeypatch):
    monkeypatch.setattr(learner, "RATES", (1e12, 1e12))
    with pytest.raises(TrainingError, match=NOTHING):
        learnt(TRAINING._replace(epochs=8))
