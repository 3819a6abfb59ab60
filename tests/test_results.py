import io

import numpy as np
import pytest
from conftest import paint

import moderate_cli
from moderate_cli import results
from moderate_cli.files.npy import sealed


@pytest.fixture
def store(embedded):
    return moderate_cli.embed(moderate_cli.scan(embedded), backbone="pixels", dtype="float32")


def test_distances_can_be_worked_out_by_hand(store):
    # 192 equal features: the distance is sqrt(192) times the difference in level / 255. Means:
    # cat 112.2, dog 127.5, owl 51.
    levels = [112.2, 61.2, 10.2, 40.8, 142.8, 127.5, 127.5, 0]
    scores = moderate_cli.score(store)
    np.testing.assert_allclose(scores.values, np.sqrt(192) / 255 * np.array(levels), rtol=1e-5)
    assert scores.paths[5] == "dog/0.png"
    assert scores.class_name(1) == "dog"


def test_scores_are_computed_once(store, counted):
    computed = counted(results, "score_rows")
    first = moderate_cli.score(store, center="median")
    again = moderate_cli.score(store, center="median")
    assert first.values.tobytes() == again.values.tobytes()
    assert len(computed) == 1
    other = moderate_cli.score(store, center="mean")
    assert other.values.tobytes() != first.values.tobytes()
    assert len(computed) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"cut"])
def test_a_damaged_cache_is_computed_again(store, damage):
    first = moderate_cli.score(store).values
    cache = store.folder / "scores-mean-euclidean.npy"
    cache.write_bytes(cache.read_bytes()[:-8] if damage == b"cut" else damage)
    assert moderate_cli.score(store).values.tobytes() == first.tobytes()


def test_a_cache_of_other_images_is_computed_again(store):
    first = moderate_cli.score(store).values
    np.save(store.folder / "scores-mean-euclidean.npy", np.zeros(5))
    assert moderate_cli.score(store).values.tobytes() == first.tobytes()


def test_a_cache_of_a_version_that_computed_otherwise_is_computed_again(store):
    first = moderate_cli.score(store).values
    cache = store.folder / "scores-mean-euclidean.npy"
    content = io.BytesIO()
    np.save(content, first + 1)
    cache.write_bytes(sealed(content.getvalue(), store.manifest.identity))
    assert moderate_cli.score(store).values.tobytes() == first.tobytes()
    cache.write_bytes(sealed(content.getvalue(), store.manifest.identity + results.REVISION))
    assert moderate_cli.score(store).values.tobytes() == (first + 1).tobytes()


def replaced(data, level):
    paint(data / "cat" / "0.png", level)
    return moderate_cli.embed(moderate_cli.scan(data), backbone="pixels", dtype="float32")


def test_scores_of_an_older_set_are_not_kept_with_the_newer(store, embedded):
    moderate_cli.score(store)
    # Twice, for then the folder may have the inode of the first.
    for level in (200, 100):
        newer = replaced(embedded, level)
    old = moderate_cli.score(store, center="median").values
    assert not list(newer.folder.glob("scores-*"))
    expected = moderate_cli.score_features(newer.features, newer.labels, center="median")
    assert moderate_cli.score(newer, center="median").values.tobytes() == expected.tobytes()
    # Nor are those of the newer taken for the older.
    assert moderate_cli.score(store, center="median").values.tobytes() == old.tobytes()
    assert old.tobytes() != expected.tobytes()


def test_scores_of_a_set_that_is_replaced_meanwhile_are_not_kept(store, embedded, monkeypatch):
    def compute(*args, original=results.score_rows, **options):
        replaced(embedded, 200)
        return original(*args, **options)

    monkeypatch.setattr(results, "score_rows", compute)
    moderate_cli.score(store)
    assert not list(store.folder.glob("scores-*"))


def test_scores_of_a_restored_set_are_not_used_for_another(store, embedded):
    old = moderate_cli.score(store)
    kept = (store.folder / "scores-mean-euclidean.npy").read_bytes()
    newer = replaced(embedded, 200)
    (newer.folder / "scores-mean-euclidean.npy").write_bytes(kept)
    expected = moderate_cli.score_features(newer.features, newer.labels)
    assert moderate_cli.score(newer).values.tolist() == expected.tolist()
    assert old.values.tolist() != expected.tolist()


def stacked(suspects):
    return np.stack([suspects.probability, suspects.looks_like])


RESULTS = {
    "scores-mean-euclidean.npy": lambda data: data.score().values,
    "suspects.npy": lambda data: stacked(data.suspects()),
    "kmeans-2-0.npy": lambda data: data.clustered(2).labels,
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_that_was_changed_is_computed_again(store, name):
    compute = RESULTS[name]
    data = results.LabeledFeatures.of(store)
    first, file = compute(data), store.folder / name
    content = file.read_bytes()
    np.testing.assert_array_equal(np.load(file), np.load(file, mmap_mode="r"))
    for changed in (content[:-16], bytes([content[0], *content[1:130], content[130] ^ 1]) +
                    content[131:]):  # fmt: skip
        file.write_bytes(changed)
        np.testing.assert_array_equal(compute(data), first)
        assert file.read_bytes() == content


def test_results_are_kept_for_sets_whose_files_were_touched(store, embedded, monkeypatch):
    first = moderate_cli.score(store).values
    for path in embedded.rglob("*.png"):
        path.touch()
    monkeypatch.setattr(results, "score_rows", None)
    again = moderate_cli.embed(moderate_cli.scan(embedded), backbone="pixels", dtype="float32")
    assert moderate_cli.score(again).values.tolist() == first.tolist()


@pytest.mark.parametrize(
    "args",
    [
        ("select", "-r", "0.5", "--strategy", "matching"),
        ("select", "-r", "0.5", "--dedup", "0.9"),
        ("duplicates",),
        ("suspects",),
        ("score", "--criterion", "margin"),
        ("select", "-r", "0.5", "--labels", "kmeans:2"),
        ("evaluate", "-r", "0.5", "--seeds", "1"),
        ("report", "-r", "0.5", "-o", "r.html"),
    ],
    ids=" ".join,
)
def test_no_command_computes_anything_of_damaged_features(
    store, embedded, moderate, args, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    moderate("select", "-r", "0.5", embedded)
    features = store.folder / "features.npy"
    features.write_bytes(features.read_bytes()[:-100] + bytes(100))
    assert moderate("select", "-r", "0.5", embedded).status == 0  # of scores that are kept
    done = moderate(*args, embedded)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith(
        f"moderate: error: {features}: damaged (rows 0 to 7 changed since they were written); run"
        " `moderate embed --check content` to embed them again\n"
    )
    assert moderate("embed", "--check", "content", embedded).status == 0
    assert moderate(*args, embedded).status == 0
