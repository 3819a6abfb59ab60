"""Several feature sets together, and clusters instead of classes."""

import json

import numpy as np
import pytest
from conftest import paint
from hypothesis import given
from hypothesis import strategies as st
from shown import without_closing

from moderate_cli import results, score_features
from moderate_cli.scoring import of_features
from moderate_cli.scoring.fusion import class_ranks, fuse


def plain_ranks(values, labels):
    """Half of the others that are equal, and all that are lower, over the size of the class."""
    ranks = []
    for value, label in zip(values, labels, strict=True):
        mates = [v for v, y in zip(values, labels, strict=True) if y == label and v == v]
        lower = sum(mate < value for mate in mates)
        equal = sum(mate == value for mate in mates) - 1
        ranks.append((lower + equal / 2) / len(mates) if value == value else np.nan)
    return ranks


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, -1.5, 2.0, 1e300, float("nan")]), st.integers(-1, 2)),
        max_size=30,
    )
)
def test_ranks_are_those_of_the_plain_statement(rows):
    values = np.array([value for value, _ in rows], dtype=np.float64)
    labels = np.array([label for _, label in rows], dtype=np.int64)
    np.testing.assert_allclose(class_ranks(values, labels), plain_ranks(values, labels))


def test_a_fused_score_can_be_worked_out_by_hand():
    # Ranks in the class of four: 0, 1/4, 2/4, 3/4 and 1/4, 0, 3/4, 2/4.
    labels = np.array([0, 0, 0, 0, 5])
    scores = [np.array([1.0, 2, 3, 4, 9]), np.array([20.0, 10, 40, 30, 9])]
    margins = [np.array([-1.0, -1, 1, 1, -1]), np.array([-1.0, -1, -1, 1, -1])]
    expected = [0.6 / 8, 0.6 / 8, 0.6 * 5 / 8 + 0.4 / 2, 0.6 * 5 / 8 + 0.4, 0]
    np.testing.assert_allclose(fuse(scores, margins, labels), expected)


def test_two_backbones_are_ranked_together(embedded, moderate, rng):
    args = ("select", "-r", "0.5", embedded, "--backbone", "pixels", "--backbone")
    both = moderate(*args, "efficientnet_lite0")
    assert both.status == 0
    assert len(both.stdout.splitlines()) == 4
    # Ranks do not depend on the order of the sets.
    turned = moderate("select", "-r", "0.5", embedded, "--backbone", "efficientnet_lite0",
                      "--backbone", "pixels")  # fmt: skip
    assert turned.stdout == both.stdout


def test_own_feature_sets_are_ranked_together(moderate, tmp_path, rng):
    labels = np.repeat([0, 1, 2], 20)
    sets = [rng.normal(size=(60, d)) + 2 * labels[:, None] for d in (3, 8)]
    for number, features in enumerate(sets):
        np.save(tmp_path / f"{number}.npy", features)
    np.save(tmp_path / "y.npy", labels)
    files = [arg for number in (0, 1) for arg in ("--features", tmp_path / f"{number}.npy")]
    moderate("score", *files, "--labels", tmp_path / "y.npy", "-o", tmp_path / "s.npy")
    scores = [score_features(features, labels) for features in sets]
    margins = [score_features(features, labels, criterion="margin") for features in sets]
    expected = fuse(scores, margins, labels)
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), expected, rtol=1e-6)


def test_feature_sets_of_other_lengths_are_refused(moderate, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    np.save(tmp_path / "b.npy", np.ones((4, 2)))
    np.save(tmp_path / "y.npy", np.zeros(3, dtype=int))
    done = moderate("score", "--features", tmp_path / "a.npy", "--features", tmp_path / "b.npy",
                    "--labels", tmp_path / "y.npy")  # fmt: skip
    assert done.status == 1
    assert done.stderr.endswith(
        f"b.npy: 4 rows, where {tmp_path}/a.npy has 3; give features of the same images\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("select", "-r", "1", "--strategy", "herding"),
            "--strategy herding takes only one --backbone",
        ),
        (("select", "-r", "1", "--dedup", "0.9"), "--dedup takes only one --backbone"),
        (
            ("select", "-r", "1", "--drop-suspects", "auto"),
            "--drop-suspects takes only one --backbone",
        ),
        (("suspects",), "suspects takes only one --backbone"),
        (("duplicates",), "duplicates takes only one --backbone"),
        (("embed", "--weights", "w.pt"), "--weights takes only one --backbone"),
        (("embed", "-n", "--weights", "w.pt"), "--weights takes only one --backbone"),
    ],
)
def test_options_that_compare_features_take_one_set(embedded, moderate, args, message):
    done = moderate(*args, embedded, "--backbone", "resnet18", "--backbone", "pixels")
    assert done == (2, "", f"moderate: error: {message} (see 'moderate {args[0]} --help')\n")


def test_a_backbone_given_twice_is_refused(embedded, moderate):
    for dry in ((), ("-n",)):
        done = moderate("embed", *dry, embedded, "--backbone", "pixels", "--backbone", "pixels")
        assert done.status == 2
        assert "--backbone pixels is given twice" in done.stderr


def test_a_file_of_options_may_name_several_backbones(embedded, moderate, tmp_path, monkeypatch):
    monkeypatch.delenv("MODERATE_BACKBONE")
    for text in ('["pixels", "efficientnet_lite0"]', '"pixels"'):
        (tmp_path / "c.toml").write_text(f"backbone = {text}\n")
        done = moderate("embed", embedded, "--config", tmp_path / "c.toml")
        assert done.status == 0
        assert done.stderr.count("features each") == text.count(",") + 1


@pytest.fixture
def flat(tmp_path):
    """Images of three looks, in no class folders: top, bottom and all of them gray."""
    from PIL import Image

    folder = tmp_path / "flat"
    for kind in range(3):
        for number in range(10):
            path = folder / f"{kind}-{number}.png"
            paint(path, 100 + 10 * number)
            image = Image.open(path)
            if kind:
                image.paste((0, 0, 0), (0, 0, 9, 4) if kind == 1 else (0, 5, 9, 9))
            image.save(path)
    return folder


def test_clusters_take_the_place_of_classes(flat, moderate, tmp_path):
    args = ("select", "-r", "0.3", flat, "--labels", "kmeans:3", "--scope", "class")
    done = moderate(*args, "-o", tmp_path / "k.json")
    assert (done.status, without_closing(done.stderr)) == (0, "")
    kept = json.loads((tmp_path / "k.json").read_text())
    found = {(image["path"][0], image["class"]) for image in kept["images"]}
    assert len(found) == 3  # each cluster is one look
    assert {name for _, name in found} == {"cluster 0", "cluster 1", "cluster 2"}
    again = moderate(*args, "--seed", "1")
    assert len(again.stdout.splitlines()) == 9


def test_clusters_and_their_scores_are_found_once(flat, moderate, counted):
    found, scored = counted(results, "clusters_of"), counted(results, "score_rows")
    args = ("select", "-r", "0.3", flat, "--labels")
    first = moderate(*args, "kmeans:3")
    assert moderate(*args, "kmeans:3") == first
    assert (len(found), len(scored)) == (1, 1)
    moderate(*args, "kmeans:2")
    assert (len(found), len(scored)) == (2, 2)


def test_a_flat_folder_is_one_class_and_says_so(flat, moderate, tmp_path):
    done = moderate("select", "-r", "0.5", flat)
    assert (done.status, len(done.stdout.splitlines())) == (0, 15)
    assert without_closing(done.stderr) == (
        f"moderate: warning: {flat}: has no class folders, so its images form one class; use"
        " --labels kmeans:K to cluster them\n"
    )
    args = ("select", "-r", "0.5", flat, "--labels", "kmeans:3", "--copy-to", tmp_path / "out")
    assert moderate(*args).status == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 15
    assert moderate(*args).status == 1
    assert moderate(*args, "--force").status == 0
    (tmp_path / "out" / "mine.txt").touch()
    refused = moderate(*args, "--force")
    assert "mine.txt was added since the export, and --force would lose it" in refused.stderr
    assert (tmp_path / "out" / "mine.txt").exists()


def test_own_features_need_no_labels(moderate, tmp_path, rng):
    np.save(tmp_path / "f.npy", rng.normal(size=(20, 4)))
    args = ("select", "-r", "0.5", "--features", tmp_path / "f.npy", "--labels", "kmeans:4")
    assert len(moderate(*args).stdout.splitlines()) == 10
    np.save(tmp_path / "f.npy", np.full((3, 2), np.nan))
    done = moderate(*args)
    assert (done.status, done.stdout) == (1, "")


@pytest.mark.parametrize(
    "value", ["kmeans:", "kmeans:0", "kmeans:-1", "kmeans:1.5", "kmeans:\u00b2"]
)
def test_an_impossible_number_of_clusters_is_refused(value, embedded, moderate):
    done = moderate("select", "-r", "1", embedded, "--labels", value)
    assert done.status == 2
    assert f"{value!r} has no number of clusters; use kmeans:K, e.g. kmeans:100" in done.stderr


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (("--labels", "kmeans:9"), 2, "labels: 9 clusters are more than 8 images"),
        (
            ("--labels", "kmeans:2", "--drop-suspects", "auto"),
            2,
            "use --drop-suspects or --labels kmeans:2, not both",
        ),
        (("--labels", "y.npy"), 2, "with DATA, --labels y.npy is neither kmeans:K nor a table"),
    ],
)
def test_labels_beside_options_that_exclude_them(args, status, message, embedded, moderate):
    done = moderate("select", "-r", "1", embedded, *args)
    assert (done.status, done.stdout) == (status, "")
    assert message in done.stderr


def test_the_file_and_the_row_that_is_not_finite_are_named(moderate, tmp_path):
    features = np.random.default_rng(0).normal(size=(30, 4))
    np.save(tmp_path / "x.npy", features)
    features[5, 1] = np.nan
    np.save(tmp_path / "nan.npy", features)
    np.save(tmp_path / "y.npy", np.arange(30) % 3)
    args = ("--features", tmp_path / "nan.npy", "--labels", tmp_path / "y.npy")
    message = f"moderate: error: {tmp_path}/nan.npy: row 5 is not finite; leave such rows out\n"
    for criterion in of_features():
        assert moderate("score", *args, "--criterion", criterion) == (1, "", message)
    both = ("--features", tmp_path / "x.npy", *args)
    assert moderate("select", "-r", "0.3", *both) == (1, "", message)


@pytest.fixture
def one_unreadable(data, moderate, tmp_path, monkeypatch):
    """A folder with the features, labels and scores of images one of which cannot be read."""
    monkeypatch.setenv("MODERATE_ON_ERROR", "skip")
    (data / "cat" / "1.png").write_bytes(b"none")
    paint(data / "cat" / "2.png", 110)
    assert moderate("score", data, "-o", tmp_path / "s.npy").status == 0
    folder = data.parent / "train.moderate" / "pixels-float32-float32"
    return data, folder / "features.npy", folder / "labels.npy", tmp_path / "s.npy"


def test_one_command_reads_the_files_of_another(one_unreadable, moderate):
    data, features, labels, scores = one_unreadable
    told = (
        "moderate: warning: {}: skipped 1 of 8 rows, which are NaN like those of unreadable"
        " images\n"
    )
    # Distances in levels: cats 129.5, 19.5, 23.5 and 125.5, dogs 127.5 twice, the owl 0.
    args = ("select", "--count", "2", "--scope", "global", "--min-per-class", "0")
    assert moderate(*args, data).stdout == "cat/3.png\ncat/4.png\n"
    for own in (("--scores", scores), ("--features", features)):
        done = moderate(*args, *own, "--labels", labels)
        assert (done.status, done.stdout) == (0, "3\n4\n")
        assert done.stderr.splitlines(keepends=True)[0] == told.format(own[1])


@pytest.mark.parametrize("args", [
    ("score",),
    ("score", "--criterion", "neighbors"),
    ("select", "-r", "0.5", "--strategy", "matching"),
    ("select", "-r", "0.5", "--dedup", "0.999"),
    ("select", "-r", "0.5", "--drop-suspects", "0.2"),
    ("select", "-r", "0.5", "--strategy", "graph"),
], ids=" ".join)  # fmt: skip
def test_rows_without_features_change_nothing_for_the_others(one_unreadable, moderate, args):
    _, features, labels, _ = one_unreadable
    done = moderate(*args, "--features", features, "--labels", labels)
    assert done.status == 0
    assert "1" not in [line.split("\t")[-1] for line in done.stdout.splitlines()]
    folder = features.parent.parent
    for path in (features, labels):
        np.save(folder / path.name, np.delete(np.load(path), 1, axis=0))
    alone = moderate(
        *args, "--features", folder / "features.npy", "--labels", folder / "labels.npy"
    )
    renumbered = [
        "\t".join([*head, str(int(row) + (int(row) > 0))])
        for *head, row in (line.split("\t") for line in alone.stdout.splitlines())
    ]
    assert done.stdout.splitlines() == renumbered


def test_a_row_that_one_of_several_sets_lacks_is_left_out(moderate, tmp_path, rng):
    features = rng.normal(size=(6, 3))
    np.save(tmp_path / "a.npy", features)
    features[2] = np.nan
    np.save(tmp_path / "b.npy", features)
    np.save(tmp_path / "y.npy", np.array([0, 0, 0, 1, 1, 1]))
    done = moderate("score", "--features", tmp_path / "a.npy", "--features", tmp_path / "b.npy",
                    "--labels", tmp_path / "y.npy")  # fmt: skip
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == ["0", "1", "3", "4", "5"]
    assert done.stderr == (
        f"moderate: warning: {tmp_path}/b.npy: skipped 1 of 6 rows, which are NaN like those of"
        " unreadable images\n"
    )


def test_clusters_are_made_of_the_rows_that_have_features(one_unreadable, moderate):
    _, features, _, _ = one_unreadable
    done = moderate("select", "-r", "1", "--features", features, "--labels", "kmeans:2")
    assert done.stdout == "0\n2\n3\n4\n5\n6\n7\n"
