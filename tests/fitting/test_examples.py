import numpy as np
import pytest
import torch
from torch import nn

from moderate_cli.dataset import scan
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.errors import DatasetError
from moderate_cli.fitting import examples
from moderate_cli.fitting.examples import (
    Examples,
    drawn,
    folds_of,
    free_memory,
    read_examples,
    rows_that_fit,
)
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.fitted import Fitted, Parts
from moderate_cli.networks.table import Preprocessing
from tests.device_alone import ALONE, Watched

SMALL = Preprocessing(8, 8, "bilinear", (100.0,) * 3, (50.0,) * 3)
PLAIN = Parts(nn.Identity(), nn.Flatten(), SMALL, False)
CPU, MOST = torch.device("cpu"), 10_000  # pixels


def read(root, parts=PLAIN, seed=0, on_image=lambda *_: None):
    dataset = scan(root)
    rows = rows_that_fit(dataset, parts, seed)
    return read_examples(dataset, rows, parts, CPU, MOST, on_image)


def some_examples(classes, per_class):
    """Return examples without pixels, class after class, all of them different."""
    n = classes * per_class
    digests = np.random.default_rng(1).integers(0, 256, (n, 16), dtype=np.uint8)
    return Examples(torch.empty(n), np.repeat(np.arange(classes), per_class), classes, digests)


def trained_on(found, folds):
    """Return what is known of networks that were trained on these images."""
    order = np.argsort(found.digests.view("S16").ravel())
    return Fitted(
        "cnn", found.classes, 32, (), torch.empty(0), torch.empty(0), found.digests[order],
        folds[order],
    )  # fmt: skip


def test_classes_share_what_there_is_room_for():
    labels = np.repeat([0, 1, 2], [20, 3, 20])
    assert np.bincount(labels[drawn(labels, 9, 0)]).tolist() == [3, 3, 3]
    assert np.bincount(labels[drawn(labels, 15, 0)]).tolist() == [6, 3, 6]
    assert sorted(np.bincount(labels[drawn(labels, 16, 0)]).tolist()) == [3, 6, 7]
    assert drawn(labels, 43, 0).tolist() == list(range(43))


def test_images_are_drawn_at_random_by_the_seed():
    labels = np.repeat([0, 1], 50)
    rows = drawn(labels, 20, 0)
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(drawn(labels, 20, 0), rows)
    assert not np.array_equal(drawn(labels, 20, 1), rows)
    times = np.zeros(100)
    for seed in range(300):
        times[drawn(labels, 20, seed)] += 1
    assert abs(times - 60).max() < 35  # five standard deviations


def test_rows_without_order_of_classes_are_drawn_alike():
    labels = np.tile([5, 0, 9], 10)
    assert np.bincount(labels[drawn(labels, 12, 0)])[[0, 5, 9]].tolist() == [4, 4, 4]


@pytest.mark.parametrize("folds", [1, 2, 3, 7])
def test_folds_are_balanced_in_all_and_within_each_class(folds):
    found = some_examples(5, 11)
    numbers = folds_of(found, folds, 0)
    for of in (numbers, *(numbers[found.members == member] for member in range(5))):
        counts = np.bincount(of, minlength=folds)
        assert len(counts) == folds
        assert counts.max() - counts.min() <= 1


def test_folds_are_random_by_the_seed():
    found = some_examples(3, 20)
    assert np.array_equal(folds_of(found, 3, 0), folds_of(found, 3, 0))
    assert not np.array_equal(folds_of(found, 3, 0), folds_of(found, 3, 1))


def test_copies_share_a_fold_whatever_their_class():
    found = some_examples(3, 20)
    found.digests[40:] = found.digests[:20]  # all of the last class are copies
    numbers = folds_of(found, 3, 0)
    assert np.array_equal(numbers[40:], numbers[:20])
    assert sorted(np.bincount(numbers[:40])) == [13, 13, 14]


def test_known_images_stay_in_their_fold():
    found = some_examples(3, 20)
    before = folds_of(found, 3, 0)
    fitted = trained_on(found, before)
    assert np.array_equal(folds_of(found, 3, 9, fitted), before)
    # Half of them are gone, and others came.
    rows = np.arange(0, 60, 2)
    others = some_examples(3, 20)
    others.digests[rows] = np.random.default_rng(2).integers(0, 256, (30, 16), dtype=np.uint8)
    after = folds_of(others, 3, 9, fitted)
    assert np.array_equal(np.delete(after, rows), np.delete(before, rows))
    assert not np.array_equal(after[rows], before[rows])


def test_pixels_are_those_of_the_preprocessing(pictures):
    found = read(pictures)
    paths = [pictures / name / f"{image}.png" for name in "abcd" for image in range(5)]
    for at, path in enumerate(paths):
        assert torch.equal(found.inputs[at], read_image(str(path), SMALL).pixels)
        assert found.digests[at].tobytes() == content_digest(path.read_bytes())
    assert (found.inputs.dtype, found.classes) == (torch.uint8, 4)
    assert found.members.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


def test_a_stem_sees_normalized_pictures_and_their_mirror_images(pictures, monkeypatch):
    monkeypatch.setattr(examples, "BLOCK", 7)
    stem = nn.Conv2d(3, 4, 3)
    found = read(pictures, PLAIN._replace(stem=stem))
    pixels = read(pictures).inputs
    assert (found.inputs.shape, found.inputs.dtype) == ((20, 2, 4, 6, 6), torch.float16)
    with torch.inference_mode():
        for side, images in enumerate((pixels, pixels.flip(-1))):
            expected = stem((images.float() - 100) / 50)
            torch.testing.assert_close(
                found.inputs[:, side].float(), expected, rtol=1e-3, atol=1e-3
            )


def test_a_stem_computes_on_the_device(pictures, monkeypatch):
    parts, seen = PLAIN._replace(stem=nn.Conv2d(3, 4, 3)), []

    def through(stem, pixels, original=examples._through):
        with Watched() as watched:
            found = original(stem, pixels)
        seen.append((found.shape, found.device, watched.waits))
        return torch.zeros(found.shape)  # those of this device are nowhere

    monkeypatch.setattr(examples, "_through", through)
    dataset = scan(pictures)
    read_examples(dataset, np.arange(20), parts, ALONE, MOST, lambda *_: None)
    assert seen == [((20, 2, 4, 6, 6), ALONE, [])]


def test_unreadable_images_are_left_out(pictures, monkeypatch):
    monkeypatch.setattr(examples, "BLOCK", 3)
    whole, bad = read(pictures), [0, 7, 8]
    for row in bad:
        (pictures / "abcd"[row // 5] / f"{row % 5}.png").write_bytes(b"bad")
    found = read(pictures)
    assert torch.equal(found.inputs, whole.inputs[np.delete(np.arange(20), bad)])
    assert found.members.tolist() == np.delete(whole.members, bad).tolist()
    assert np.array_equal(found.digests, np.delete(whole.digests, bad, axis=0))


def test_classes_are_those_with_readable_images(pictures):
    for image in range(5):
        (pictures / "b" / f"{image}.png").write_bytes(b"bad")
    found = read(pictures)
    assert found.members.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert (found.classes, found.names) == (3, ("a", "c", "d"))


@pytest.mark.parametrize(("left", "said"), [("a", "1 class"), ("", "0 classes")])
def test_a_network_needs_two_classes(pictures, left, said):
    for name in set("abcd") - set(left):
        for image in range(5):
            (pictures / name / f"{image}.png").write_bytes(b"bad")
    with pytest.raises(DatasetError) as caught:
        read(pictures)
    assert str(caught.value) == (
        f"{pictures}: has {said} with readable images; a network needs two"
    )


def test_a_network_needs_two_different_images(pictures):
    for path in pictures.glob("*/*.png"):
        path.write_bytes((pictures / "a" / "0.png").read_bytes())
    with pytest.raises(DatasetError) as caught:
        read(pictures)
    assert str(caught.value).startswith(f"{pictures}: ")


@pytest.mark.parametrize(("stem", "size"), [(nn.Identity(), 3 * 64), (nn.MaxPool2d(2), 12 * 4 * 4)])
def test_half_of_the_free_memory_is_taken_and_classes_share_it(pictures, monkeypatch, stem, size):
    # Numbers of one byte; or of two bytes each, for a picture and its mirror image.
    monkeypatch.setattr(examples, "free_memory", lambda: 2 * 8 * size + 1)
    moves = []
    found = read(pictures, PLAIN._replace(stem=stem), on_image=lambda *move: moves.append(move))
    assert found.inputs.nbytes == 8 * size
    assert found.members.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert moves == [(done, 8) for done in range(1, 9)]


def test_some_of_the_memory_is_free():
    assert 1 << 20 < free_memory() < 1 << 50


def test_without_the_file_of_linux_the_system_is_asked(monkeypatch):
    def fail(*_, **__):
        raise OSError

    monkeypatch.setattr("builtins.open", fail)
    assert 1 << 20 < free_memory() < 1 << 50
    monkeypatch.setattr(examples.os, "sysconf", fail)
    assert free_memory() == 4 << 30


def test_the_identity_changes_with_images_and_classes():
    found = some_examples(2, 3)
    assert found.identity == some_examples(2, 3).identity
    assert found.identity != found._replace(members=1 - found.members).identity
    assert found.identity != found._replace(digests=found.digests[::-1]).identity
