import csv
import json

import numpy as np
import pytest
from conftest import draw, paint
from labels import CLASSES, clusters, mislabel
from shown import without_closing

from moderate_cli import open_store, results, score, select_scores
from moderate_cli.errors import ArgumentError
from moderate_cli.label_errors.doubts import noise_estimate
from moderate_cli.label_errors.suspects import Suspects, find_suspects
from moderate_cli.words import say_noise


@pytest.mark.parametrize("share", [0.1, 0.2, 0.35])
def test_planted_labels_are_found(rng, share):
    labels, features = clusters(rng)
    given, wrong = mislabel(labels, rng, share)
    found = find_suspects(features, given)
    rows = found.most_probable()
    assert wrong[rows].mean() > 0.9
    assert wrong[rows].sum() > 0.9 * wrong.sum()
    assert (found.looks_like[rows] == labels[rows]).mean() > 0.9
    assert abs(found.noise_rate - wrong.mean()) < 0.02
    assert np.all(found.looks_like != given)


def test_half_of_the_errors_that_follow_the_looks_of_images_are_found(rng):
    """The more an image looks like another class in one view, the more often it gets its label."""
    labels, features = clusters(rng)
    _, view = clusters(rng, spread=3.0)
    every = np.arange(len(labels))
    centers = np.stack([view[labels == one].mean(axis=0) for one in range(CLASSES)])
    distances = ((view[:, None] - centers) ** 2).sum(axis=2)
    own = distances[every, labels].copy()
    distances[every, labels] = np.inf
    doubt = own - distances.min(axis=1)
    order = np.argsort(doubt / doubt.std() + rng.normal(size=len(labels)))
    wrong = np.isin(every, order[-len(labels) * 2 // 5 :])
    given = np.where(wrong, distances.argmin(axis=1), labels)
    rows = find_suspects(np.hstack([features, view / 2]), given).most_probable()
    assert wrong[rows].mean() > 0.95
    assert wrong[rows].sum() > 0.5 * wrong.sum()


def test_labels_that_are_swapped_in_pairs_are_found(rng):
    labels, features = clusters(rng)
    wrong = rng.random(len(labels)) < 0.2
    given = np.where(wrong, labels ^ 1, labels)
    rows = find_suspects(features, given).most_probable()
    assert wrong[rows].mean() > 0.9
    assert wrong[rows].sum() > 0.8 * wrong.sum()


def test_a_single_error_among_classes_that_are_far_apart_is_found(rng):
    features = np.concatenate([rng.normal(size=(40, 4)), rng.normal(size=(40, 4)) + 8])
    labels = np.repeat([0, 1], 40)
    labels[3] = 1
    found = find_suspects(features, labels)
    assert found.most_probable().tolist() == [3]
    assert found.probability[3] > 0.95


@pytest.mark.parametrize("spread", [1.0, 2.0, 3.0])
def test_hard_images_of_a_clean_set_are_not_suspects(rng, spread):
    labels, features = clusters(rng, spread=spread)
    found = find_suspects(features, labels)
    assert len(found.most_probable()) <= 0.01 * len(labels)
    assert found.noise_rate < 0.02


def test_of_labels_at_random_features_hardly_know_anything(rng):
    labels, features = clusters(rng)
    given = rng.permutation(labels)
    assert (given != labels).mean() > 0.85
    found = find_suspects(features, given)
    assert np.isfinite(found.probability).all()
    assert found.accuracy == pytest.approx(1 / CLASSES, abs=0.04)
    assert found.hardly_known
    assert len(found.most_probable()) == 0
    assert not find_suspects(features, labels).hardly_known


@pytest.mark.parametrize(
    "sizes", [(100, 100), (2000, 2000), (1000, 1000, 1000), (900, 100), (600, 100, 100, 100, 100)]
)
def test_features_that_know_nothing_make_no_suspects(sizes, rng):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(3):
        found = find_suspects(rng.normal(size=(len(labels), 20)), labels)
        assert found.hardly_known
        assert len(found.most_probable()) == 0
        assert found.noise_rate < 0.15


def test_on_weak_features_hard_images_are_not_suspects(rng):
    labels, features = clusters(rng, spread=12.0)
    found = find_suspects(features, labels)
    assert 0.15 < found.accuracy < 0.5
    assert found.hardly_known
    assert len(found.most_probable()) == 0


def test_suspects_of_few_images_are_found(rng):
    labels, features = clusters(rng, n=160)
    given, wrong = mislabel(labels, rng, 0.2)
    rows = find_suspects(features, given).most_probable()
    assert wrong[rows].mean() > 0.9
    assert wrong[rows].sum() > 0.9 * wrong.sum()


def test_probabilities_are_calibrated(rng):
    labels, features = clusters(rng, n=4800, spread=3.5)
    given, wrong = mislabel(labels, rng, 0.2)
    probability = find_suspects(features, given).probability
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (probability >= low) & (probability <= high)
        assert inside.sum() > 40
        assert probability[inside].mean() == pytest.approx(wrong[inside].mean(), abs=0.15)


def test_suspects_are_sorted_by_probability_across_classes(rng):
    labels, features = clusters(rng)
    given, _ = mislabel(labels, rng, 0.2)
    found = find_suspects(features, given)
    listed = found.probability[found.most_probable()]
    assert np.array_equal(listed, np.sort(listed)[::-1])
    assert len(np.unique(given[found.most_probable()[:40]])) > 2


def test_a_fraction_takes_the_most_probable_and_ties_by_row():
    probability = np.array([0.5, np.nan, 0.9, 0.2, 0.5, 0.6])
    found = Suspects(probability, np.zeros(6, dtype=np.int64))
    assert found.most_probable().tolist() == [2, 5]
    assert found.most_probable(0.6).tolist() == [2, 5, 0]
    assert found.most_probable(0.9).tolist() == [2, 5, 0, 4, 3]
    assert found.noise_rate == pytest.approx(2.7 / 5)


def test_labels_may_be_any_integers_and_rows_unreadable(rng):
    labels, features = clusters(rng)
    given, _ = mislabel(labels, rng, 0.2)
    readable = rng.random(len(labels)) < 0.9
    found = find_suspects(features, 7 * given - 3, readable=readable)
    assert np.array_equal(np.isnan(found.probability), ~readable)
    assert set(found.looks_like) <= set(7 * np.arange(CLASSES) - 3)
    plain = find_suspects(features[readable], given[readable])
    assert np.array_equal(found.probability[readable], plain.probability)


def test_results_are_the_same_again_and_hardly_depend_on_the_type(rng):
    labels, features = clusters(rng)
    given, _ = mislabel(labels, rng, 0.2)
    features = features.astype(np.float16)
    first = find_suspects(features, given)
    again = find_suspects(features, given)
    assert first.probability.tobytes() == again.probability.tobytes()
    wide = find_suspects(features.astype(np.float32), given)
    np.testing.assert_allclose(first.probability, wide.probability, atol=1e-6)


def test_equal_features_give_no_suspects(rng):
    found = find_suspects(np.ones((40, 3)), np.arange(40) % 4)
    assert np.isfinite(found.probability).all()
    assert len(found.most_probable()) == 0


def test_one_class_is_refused():
    with pytest.raises(ArgumentError, match="only one class"):
        find_suspects(np.ones((3, 2)), np.zeros(3, dtype=int))


def test_arrays_that_do_not_match_are_refused():
    with pytest.raises(ArgumentError, match=r"features \(3, 2\) and labels \(4,\) do not match"):
        find_suspects(np.ones((3, 2)), np.arange(4))
    with pytest.raises(ArgumentError, match="features: have no columns"):
        find_suspects(np.ones((4, 0)), np.arange(4))


@pytest.fixture
def mixed(tmp_path, moderate):
    """Five classes of bright columns, with one image of the first class in the last."""
    for label, name in enumerate("abcde"):
        for image in range(30):
            draw(tmp_path / "mixed" / name / f"{image:02}.png", label, image)
    draw(tmp_path / "mixed" / "e" / "x.png", 0, 2)
    return tmp_path / "mixed"


def test_suspects_are_listed(mixed, moderate, tmp_path):
    done = moderate("suspects", mixed)
    assert done.status == 0
    path, label, other, probability = done.stdout.rstrip("\n").split("\t")
    assert (path, label, other) == ("e/x.png", "e", "a")
    assert float(probability) > 0.5
    assert done.stderr == (
        "moderate: 1 likely label error; estimated label noise about 1 %, which hard images alone"
        " can cause\n"
    )
    assert len(moderate("suspects", mixed, "--fraction", "0.1").stdout.splitlines()) == 15
    header = ["path", "given", "seen", "probability", "label"]
    table = tmp_path / "s.csv"
    done = moderate("suspects", mixed, "-o", table)
    assert done.stderr.splitlines()[1] == (
        f"moderate: Wrote 1 image -> {table}; correct its column label, then pass --labels {table}"
    )
    with table.open(newline="") as file:
        assert list(csv.reader(file)) == [header, [path, label, other, probability, label]]
    moderate("suspects", mixed, "-o", tmp_path / "s.txt")
    assert (tmp_path / "s.txt").read_text() == f"{path}\t{label}\t{other}\t{probability}\n"
    moderate("suspects", mixed, "-o", tmp_path / "s.json")
    row = dict(zip(header, (path, label, other, float(probability), label), strict=True))
    assert json.loads((tmp_path / "s.json").read_text()) == [row]


DROPPED = "moderate: dropped 1 likely label error; selecting from the remaining 150 images\n"


def test_suspects_are_dropped_before_the_selection(mixed, moderate):
    done = moderate("select", "-r", "1", "--drop-suspects", "auto", mixed)
    assert "e/x.png" not in done.stdout
    assert len(done.stdout.splitlines()) == 150
    assert without_closing(done.stderr) == DROPPED
    done = moderate("select", "-r", "1", "--drop-suspects", "auto", "--invert", mixed)
    assert done.stdout == "e/x.png\n"
    done = moderate("select", "-r", "0.5", "--drop-suspects", "0.2", mixed)
    assert done.stderr.startswith("moderate: dropped 30 likely label errors; selecting from ")
    assert len(done.stdout.splitlines()) == 61  # half of 121, rounded up


def test_the_list_and_the_estimate_agree_or_say_why_not():
    def said(*probability):
        found = Suspects(np.array(probability), np.zeros(len(probability), np.int64))
        return say_noise(noise_estimate(found))

    assert said(*[0.002] * 50) == "no likely label errors; the labels look right"
    assert said(*[0.9] * 3, *[0.004] * 97) == (
        "3 likely label errors; estimated label noise about 3 %, which hard images alone can cause"
    )
    assert said(*[0.9] * 20, *[0.004] * 80) == (
        "20 likely label errors; estimated label noise at least about 18 %"
    )
    assert said(0.9, *[0.0] * 999).startswith(
        "1 likely label error; estimated label noise less than 1 %, "
    )
    sums = "with a probability above 0.5; all probabilities add up to about"
    assert said(*[0.1] * 20) == (
        f"no likely label errors {sums} 10 % of the labels, but no single image is likely wrong"
    )
    assert said(*[0.9] * 2, *[0.2] * 18, np.nan) == (
        f"2 likely label errors {sums} 27 % of the labels, so others are wrong, too"
    )
    assert said(*[0.6] * 10, *[0.0] * 10) == (
        f"10 likely label errors {sums} 30 % of the labels, so some of these are right"
    )


@pytest.fixture
def doubtful(mixed, moderate, monkeypatch):
    """The same, each label of which is wrong with a probability of a tenth."""
    monkeypatch.setattr(
        results,
        "find_suspects",
        lambda features, labels, **_: Suspects(np.full(len(labels), 0.1), labels),
    )
    return mixed


def test_doubts_without_suspects_are_explained_everywhere(doubtful, moderate, tmp_path):
    none = "no likely label errors with a probability above 0.5"
    why = (
        "all probabilities add up to about 10 % of the labels, but no single image is likely wrong"
    )
    done = moderate("suspects", doubtful)
    assert done == (0, "", f"moderate: {none}; {why}\n")
    done = moderate("suspects", doubtful, "--fraction", "1/50")
    assert done.stderr == (f"moderate: listed 3 images for --fraction 0.02; {none}; {why}\n")
    done = moderate("select", doubtful, "-r", "0.5", "--drop-suspects", "auto")
    assert done.stderr.splitlines()[:2] == [
        "moderate: dropped no likely label errors; selecting from all 151 images",
        f"moderate: warning: {why}",
    ]


def test_they_are_found_once(mixed, moderate, counted):
    found = counted(results, "find_suspects")
    first = moderate("suspects", mixed)
    assert moderate("suspects", mixed) == first
    assert len(found) == 1
    moderate("select", "-r", "0.5", "--drop-suspects", "auto", "--seed", "1", mixed)
    assert len(found) == 1


def test_kept_suspects_of_no_class_are_found_again(mixed, moderate, counted):
    first = moderate("suspects", mixed)
    (store,) = (mixed.parent / "mixed.moderate").glob("pixels*")
    kept = np.load(store / "suspects.npy")
    kept[1] = 9  # no such class
    np.save(store / "suspects.npy", kept)
    found = counted(results, "find_suspects")
    assert moderate("suspects", mixed) == first
    assert len(found) == 1


def test_suspects_dropped_in_python_are_those_of_the_command_line(mixed, moderate):
    own = ("--strategy", "matching", "--criterion", "margin", "--drop-suspects", "auto")
    done = moderate("select", "-r", "0.5", *own, mixed)
    store = open_store(next((mixed.parent / "mixed.moderate").glob("pixels*")))
    scores = score(store, criterion="margin")
    wrong = find_suspects(store.features, store.labels, readable=store.readable).most_probable()
    scores.values[wrong] = np.nan
    kept = select_scores(scores, ratio=0.5, strategy="matching", features=store.features)
    assert [store.paths[row] for row in np.flatnonzero(kept)] == done.stdout.split()


def test_progress_reaches_the_end(rng):
    labels, features = clusters(rng, n=600)
    told = []
    found = find_suspects(features, labels, on_progress=lambda *step: told.append(step))
    # A block of the fit, seven strengths, the noise model, and a block of the outputs.
    assert told == [(done, 10) for done in range(1, 11)]
    assert np.array_equal(found.probability, find_suspects(features, labels).probability)


@pytest.mark.parametrize(
    "args",
    [
        ("suspects",),
        ("select", "-r", "0.5", "--drop-suspects", "auto"),
        ("report", "-o", "r.html"),
    ],
)
def test_a_long_search_for_suspects_shows_how_far_it_is(args, mixed, moderate, monkeypatch):
    seen = []
    plain = results.find_suspects

    def watched(features, labels, *, on_progress, **how):
        def told(done, total):
            seen.append(done / total)
            on_progress(done, total)

        return plain(features, labels, on_progress=told, **how)

    monkeypatch.chdir(mixed.parent)
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    monkeypatch.setattr(results, "find_suspects", watched)
    for name, seconds in (("FIRST_LINE", 0.0), ("LINE_EVERY", 0.0), ("TICK", 3600.0)):
        monkeypatch.setattr(f"moderate_cli.cli.progress.{name}", seconds)
    done = moderate(*args, mixed)
    named = "moderate: looking for label errors: "
    lines = [line for line in done.stderr.splitlines() if line.startswith(named)]
    assert (seen[0], seen[-1], len(lines)) == (0.1, 1, len(seen))
    assert lines[-1].startswith(f"{named}10 of 10 steps")


def test_own_features_have_suspects_too(moderate, tmp_path, rng):
    labels, features = clusters(rng)
    given, wrong = mislabel(labels, rng, 0.2)
    np.save(tmp_path / "f.npy", features)
    np.save(tmp_path / "y.npy", given)
    args = ("select", "-r", "1", "--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    done = moderate(*args, "--drop-suspects", "auto")
    kept = np.array(done.stdout.split(), dtype=int)
    assert wrong[kept].mean() < 0.03


def noisy_folder(folder, wrong):
    """Four classes of 25 images, so many of which have the label of the next class."""
    for label in range(4):
        for image in range(25):
            given = (label + (image < wrong)) % 4
            draw(folder / "abcd"[given] / f"{label}-{image:02}.png", label, image)
    return folder


@pytest.mark.parametrize(("wrong", "warned"), [(0, False), (1, False), (4, True)])
def test_a_selection_warns_of_many_label_errors_in_it_once_they_are_known(
    wrong, warned, moderate, tmp_path
):
    data = noisy_folder(tmp_path / "data", wrong)
    hint = (
        f"moderate: warning: {4 * wrong} of the 100 kept images are likely label errors: look at"
        " `moderate suspects DATA`, or add --drop-suspects auto\n"
    )
    args = ("select", "-r", "1", data)
    assert hint not in moderate(*args).stderr
    assert len(moderate("suspects", data).stdout.splitlines()) == 4 * wrong
    assert (hint in moderate(*args).stderr) == warned
    some = (*args[:2], "0.96", data)
    use = "label errors: use --strategy adaptive, look at `moderate suspects DATA`, or"
    assert (use in moderate(*some).stderr) == warned
    assert use not in moderate(*some, "--strategy", "adaptive").stderr
    assert "label errors" not in moderate(*args[:2], "0.2", "--strategy", "adaptive", data).stderr
    assert hint not in moderate(*args, "--drop-suspects", "auto").stderr


def test_features_that_hardly_know_the_classes_are_said_everywhere(moderate, tmp_path, rng):
    labels, features = clusters(rng, n=400)
    np.save(tmp_path / "f.npy", features)
    np.save(tmp_path / "y.npy", rng.permutation(labels))
    args = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    done = moderate("select", "-r", "1", *args, "--drop-suspects", "auto")
    assert "warning: a linear probe on these features is right for only 1" in done.stderr


@pytest.mark.parametrize("value", ["0", "1", "-0.1", "some", "nan"])
def test_fractions_out_of_range_are_refused(value, mixed, moderate):
    for args in (("suspects", "--fraction"), ("select", "-r", "1", "--drop-suspects")):
        done = moderate(*args, value, mixed)
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1


def test_scores_alone_have_no_suspects(moderate, tmp_path):
    np.save(tmp_path / "s.npy", np.arange(4.0))
    args = ("--drop-suspects", "auto", "--scores", tmp_path / "s.npy")
    done = moderate("select", "-r", "1", *args)
    assert done.status == 2
    assert "--drop-suspects needs features, not --scores" in done.stderr


def test_a_dataset_of_one_class_has_none(tmp_path, moderate):
    for image in range(3):
        paint(tmp_path / "one" / "a" / f"{image}.png", image)
    done = moderate("suspects", tmp_path / "one")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "moderate: error: suspects: there is only one class, so no label can be wrong\n"
    )
