"""--keep-from: the images of an earlier selection stay, and the rest is filled up."""

import json
from collections import Counter

import numpy as np
import pytest
from conftest import draw

import moderate_cli
from moderate_cli.errors import ArgumentError
from moderate_cli.selection import BALANCES, STRATEGIES

PIXELS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
SIZES = {"a": 30, "b": 20, "c": 6}


@pytest.fixture
def drawn(tmp_path):
    """Three classes of different sizes."""
    for label, (name, size) in enumerate(SIZES.items()):
        for image in range(size):
            draw(tmp_path / "data" / name / f"{image:02}.png", label, image)
    return tmp_path / "data"


def grow(data):
    """Remove two images, and add ten to each class, among the old ones."""
    for name in ("a/03.png", "b/07.png"):
        (data / name).unlink()
    for label, name in enumerate(SIZES):
        for image in range(10):
            draw(data / name / f"{image:02}-new.png", label, 40 + image)


@pytest.mark.parametrize("suffix", ["txt", "csv", "json"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_grown_dataset_keeps_all_old_images_and_the_counts_are_exact(
    drawn, strategy, suffix, moderate
):
    old = drawn.parent / f"old.{suffix}"
    first = moderate_cli.select(drawn, ratio=0.3, strategy=strategy, **PIXELS)
    moderate_cli.write_index(old, first.scores, first.mask, recipe=first.recipe)
    before = set(first.paths)
    grow(drawn)
    there = before - {"a/03.png", "b/07.png"}
    for balance in BALANCES:
        second = moderate_cli.select(
            drawn, ratio=0.4, strategy=strategy, balance=balance, keep_from=old, **PIXELS
        )
        kept = set(second.paths)
        assert len(second.rows) == len(kept) == 34  # 0.4 x 84, rounded half up
        assert there <= kept
        # Each class has its share, unless more of it are kept already.
        plain = Counter(
            path[0]
            for path in moderate_cli.select(
                drawn, ratio=0.4, strategy=strategy, balance=balance, **PIXELS
            ).paths
        )
        least = Counter(path[0] for path in there)
        if all(least[name] <= plain[name] for name in SIZES):
            assert Counter(path[0] for path in kept) == plain
    done = moderate("select", "-r", "0.4", "--strategy", strategy, drawn, "--keep-from", old)
    assert (done.status, len(done.stdout.split())) == (0, 34)
    assert there <= set(done.stdout.split())
    told = f"keeping all {len(before)} images of {old}"
    if gone := len(before - there):
        are = "is" if gone == 1 else "are"
        told = f"keeping {len(there)} of {len(before)} images of {old}; {gone} {are} gone"
    assert f"moderate: {told}\n" in done.stderr


def test_a_global_window_keeps_them_too(drawn):
    first = moderate_cli.select(drawn, ratio=0.3, scope="global", **PIXELS)
    grow(drawn)
    second = moderate_cli.select(
        drawn, count=40, scope="global", min_per_class=3, keep_from=first.paths, **PIXELS
    )
    kept = Counter(path[0] for path in second.paths)
    assert kept.total() == 40
    assert min(kept.values()) >= 3
    assert set(first.paths) - {"a/03.png", "b/07.png"} <= set(second.paths)


def test_exactly_the_old_images_are_kept_where_there_is_room_for_no_other(drawn):
    first = moderate_cli.select(drawn, count=17, **PIXELS)
    again = moderate_cli.select(drawn, count=17, keep_from=first.paths, strategy="hard", **PIXELS)
    assert again.paths == first.paths


def test_what_would_be_dropped_first_is_kept(drawn):
    how = {"ratio": 0.5, "drop_suspects": 0.3, **PIXELS}
    plain = moderate_cli.select(drawn, **how)
    suspects = plain.left_out["suspects"]
    old = [plain.scores.paths[row] for row in suspects[:5].tolist()]
    found = moderate_cli.select(drawn, **how, keep_from=old)
    assert set(old) <= set(found.paths)
    assert found.left_out["suspects"].tolist() == suspects[5:].tolist()
    # The ratio is of all that is left: 56 images, less 17 suspects, and 5 of these again.
    assert len(suspects) == 17
    assert len(found.rows) == 22
    # What is said to be dropped is what is dropped.
    notices = {notice.kind: notice for notice in found.notices}
    assert notices["suspects"][1:3] == (12, 44)
    assert notices["earlier suspects"].count == 5
    assert "(50 % of the 44 left; 12 dropped first)" in found.summary


def test_near_duplicates_of_the_earlier_selection_stay_and_are_said(moderate, tmp_path, rng):
    own = rng.normal(size=(20, 6))
    np.save(tmp_path / "f.npy", np.concatenate([own, own[:3]]))
    np.save(tmp_path / "l.npy", np.repeat([0, 1, 0], [10, 10, 3]))
    np.save(tmp_path / "old.npy", np.array([12, 20]))
    args = ("select", "-r", "0.5", "--dedup", "0.999", "-o", tmp_path / "new.txt")
    args += ("--features", tmp_path / "f.npy", "--labels", tmp_path / "l.npy")
    assert "(50 % of the 20 left; 3 dropped first)" in moderate(*args).stderr
    done = moderate(*args, "--keep-from", tmp_path / "old.npy")
    assert f": did not drop 1 near duplicate, because {tmp_path}/old.npy has it\n" in done.stderr
    assert "(52 % of the 21 left; 2 dropped first)" in done.stderr


def test_fewer_than_the_old_images_are_refused_with_the_next_step(drawn, moderate):
    (drawn.parent / "old.txt").write_text("a/00.png\na/01.png\na/02.png\n")
    args = ("select", drawn, "--keep-from", drawn.parent / "old.txt")
    done = moderate(*args, "--count", "2")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"moderate: error: --count 2 keeps 2 images, and 3 of --keep-from {drawn.parent}/old.txt"
        " are still there; keep more, or select without it (see 'moderate select --help')"
    )
    assert moderate(*args, "--count", "3").stdout.split() == ["a/00.png", "a/01.png", "a/02.png"]


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("old.txt", b"x/1.png\n", "none of its 1 image is in the data; pass a list of this"),
        ("old.txt", b"", "has no images"),
        ("old.csv", b"image,label\na/00.png,a\n", "is not a list of kept images that -o kept.csv"),
        ("old.json", b"[1, 2", "is not a list of kept images that -o kept.json wrote"),
        ("old.jsonl", b"[]\n", "is not a list of kept images that --manifest all.jsonl wrote"),
        ("old.npy", b"\x93NUMPY", "has row numbers, which change when images are added"),
        ("missing.txt", None, "No such file or directory"),
    ],
)
def test_another_file_is_refused_in_a_line(drawn, moderate, name, content, fact):
    old = drawn.parent / name
    if content is not None:
        old.write_bytes(content)
    done = moderate("select", "-r", "0.3", drawn, "--keep-from", old)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"moderate: error: {old}: {fact}")


@pytest.mark.parametrize("how", ["none", "symbolic", "tree"])
def test_the_images_of_a_copy_are_kept(drawn, moderate, how):
    folder = drawn.parent.parent / f"small-{how}"  # not in the tree
    data = (drawn.parent, "--split", "data") if how == "tree" else (drawn, "--link", how)
    done = moderate("select", "--count", "17", *data, "--copy-to", folder, "--strategy", "easy")
    assert done.status == 0, done.stderr
    folder /= "data" if how == "tree" else ""
    old = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    grow(drawn)
    there = old - {"a/03.png", "b/07.png"}
    done = moderate("select", "--count", "20", drawn, "--keep-from", f"{folder}/")
    assert (done.status, len(done.stdout.split())) == (0, 20)
    assert there <= set(done.stdout.split())
    assert f" of 17 images of {folder}/" in done.stderr or "all 17 images" in done.stderr


def test_a_folder_without_images_is_refused(drawn, moderate):
    (drawn.parent / "empty").mkdir()
    done = moderate("select", "-r", "0.3", drawn, "--keep-from", drawn.parent / "empty")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == f"moderate: error: {drawn.parent}/empty: has no images\n"


def test_the_kept_images_of_a_manifest_are_kept(drawn, moderate):
    every = drawn.parent / "all.jsonl"
    args = ("select", "--count", "17", drawn)
    kept = moderate(*args, "--strategy", "easy").stdout
    assert moderate(*args, "--strategy", "easy", "--manifest", every).status == 0
    assert moderate(*args, "--keep-from", every).stdout == kept


def test_rows_of_arrays_are_kept_by_their_numbers(moderate, tmp_path, rng):
    np.save(tmp_path / "f.npy", rng.random((40, 4)))
    np.save(tmp_path / "y.npy", np.arange(40) % 4)
    np.save(tmp_path / "old.npy", np.array([1, 2, 39]))
    arrays = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    for old in ("old.npy", "old.txt"):
        (tmp_path / "old.txt").write_text("1\n2\n39\n")
        done = moderate("select", "--count", "9", *arrays, "--keep-from", tmp_path / old)
        assert (done.status, len(done.stdout.split())) == (0, 9)
        assert {"1", "2", "39"} <= set(done.stdout.split())
    np.save(tmp_path / "old.npy", np.zeros((2, 2)))
    assert (
        moderate("select", "--count", "9", *arrays, "--keep-from", tmp_path / "old.npy").status == 2
    )


def test_a_recipe_says_that_it_keeps_images_of_an_earlier_selection(drawn, moderate):
    old, kept = drawn.parent / "old.txt", drawn.parent / "kept.json"
    old.write_text("c/00.png\nc/01.png\nc/02.png\nc/03.png\nc/04.png\n")
    args = ("select", "-r", "0.3", drawn, "--keep-from", old)
    assert moderate(*args, "-o", kept).status == 0
    again = moderate("select", "--recipe", kept, drawn)
    assert again.status == 1
    assert "it keeps images of an earlier selection, which --keep-from names" in again.stderr
    same = moderate("select", "--recipe", kept, drawn, "--keep-from", old)
    assert same.status == 0, same.stderr
    assert same.stdout == moderate(*args).stdout


def test_paths_are_taken_in_python_and_none_is_refused(drawn):
    with pytest.raises(ArgumentError, match="keep_from: has no images"):
        moderate_cli.select(drawn, ratio=0.3, keep_from=[], **PIXELS)


@pytest.mark.parametrize("taken", [lambda one: one, lambda one: one.mask, lambda one: one.rows])
def test_a_selection_in_place_of_its_paths_is_refused(drawn, taken):
    first = moderate_cli.select(drawn, ratio=0.3, **PIXELS)
    with pytest.raises(ArgumentError) as caught:
        moderate_cli.select(drawn, ratio=0.5, keep_from=taken(first), **PIXELS)
    assert str(caught.value) == (
        "keep_from: is neither a file nor paths; pass those of Selection.paths"
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_rows_of_a_list_are_kept(drawn, moderate, suffix):
    names = [path.relative_to(drawn) for path in sorted(drawn.rglob("*.png"))]
    rows = [{"id": name.as_posix()[:-4], "class": name.parts[0]} for name in names]
    every, old, new = (drawn.parent / f"{name}.{suffix}" for name in ("all", "old", "new"))
    if suffix == "jsonl":
        every.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        comma = "," if suffix == "csv" else "\t"
        lines = [comma.join(line) for line in [("id", "class"), *(row.values() for row in rows)]]
        every.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    args = ("select", every, "--images", drawn)
    assert moderate(*args, "-r", "0.1", "--strategy", "random", "-o", old).status == 0
    done = moderate(*args, "-r", "0.3", "--keep-from", old, "-o", new)
    assert done.status == 0, done.stderr
    assert set(old.read_text().splitlines()) < set(new.read_text().splitlines())


def test_a_manifest_beside_a_list_has_its_kept_images_only(drawn, moderate):
    names = [path.relative_to(drawn).as_posix() for path in sorted(drawn.rglob("*.png"))]
    lines = [json.dumps({"path": name, "label": name[0]}) for name in names]
    (drawn / "all.jsonl").write_text("\n".join(lines))
    args = ("select", drawn / "all.jsonl")
    manifest = drawn.parent / "m.jsonl"
    assert moderate(*args, "-r", "0.1", "--manifest", manifest).status == 0
    done = moderate(*args, "-r", "0.3", "--keep-from", manifest, "-o", drawn.parent / "new.txt")
    assert done.status == 0, done.stderr
    assert f"{manifest}" in done.stderr
    assert len((drawn.parent / "new.txt").read_text().split("\n")) == 18


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_of_other_editors_are_read(drawn, moderate, end):
    old = drawn.parent / "old.txt"
    old.write_bytes(f"\ufeffa/01.png{end}b/02.png{end}".encode())
    done = moderate("select", drawn, "-r", "0.3", "--keep-from", old)
    assert done.status == 0, done.stderr
    assert {"a/01.png", "b/02.png"} <= set(done.stdout.splitlines())
