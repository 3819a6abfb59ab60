"""Files that changed, though their size and modification time did not; and the other way about."""

import errno
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from listeners import Told
from PIL import Image

import moderate_cli
from moderate_cli import scan, score
from moderate_cli.dataset import sources
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.embedding import freshness
from moderate_cli.embedding.engines import batches
from moderate_cli.errors import ArgumentError, DatasetError, OutputError, StoreError
from moderate_cli.store import blocks, journal

SET = "pixels-float32-float32"
OPTIONS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch", "on_error": "skip"}
SECOND = 1_600_000_000 * 10**9  # what archives and container layers keep of a time


def embed(root, **options):
    return moderate_cli.embed(scan(root), **OPTIONS, **options)


def bmp(path, level):
    """Write an image of a size and modification time that do not depend on what it shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 9), (level, level, level)).save(path)
    os.utime(path, ns=(SECOND, SECOND))


@pytest.fixture
def alike(tmp_path):
    """Images of one size and modification time; one of each class stands out."""
    root = tmp_path / "alike"
    for name, levels in {"a": (10, 20, 90), "b": (200, 210, 130)}.items():
        for number, level in enumerate(levels):
            bmp(root / name / f"{number}.bmp", level)
    return root


@pytest.fixture
def read(monkeypatch):
    """Names of the images that were decoded."""
    names = []

    def spy(path, *how, original=batches.read_image):
        names.append(f"{Path(path).parent.name}/{Path(path).name}")
        return original(path, *how)

    monkeypatch.setattr(batches, "read_image", spy)
    return names


def grays(store):
    return [round(255 * float(value)) for value in store.features[:, 0]]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def check_as_fresh(root, levels):
    """The set that is there gives what a fresh one gives."""
    store = embed(root)
    assert grays(store) == levels
    fresh = embed(root, store=root.parent / "fresh")
    assert score(store).values.tolist() == score(fresh).values.tolist()
    assert contents(store.folder) == contents(fresh.folder)


def test_two_images_that_change_places_change_their_features(alike):
    score(embed(alike))
    one, other, aside = alike / "a" / "2.bmp", alike / "b" / "2.bmp", alike.parent / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    check_as_fresh(alike, [10, 20, 130, 200, 210, 90])


def test_a_version_of_the_same_names_sizes_and_times_is_another_one(alike):
    score(embed(alike))
    for path, level in zip(sorted(alike.rglob("*.bmp")), (1, 2, 3, 4, 5, 6), strict=True):
        path.unlink()
        bmp(path, level)
    check_as_fresh(alike, [1, 2, 3, 4, 5, 6])


def test_a_copy_over_an_image_that_keeps_its_time_is_seen(alike):
    score(embed(alike))
    shutil.copy2(alike / "a" / "2.bmp", alike / "b" / "1.bmp")
    check_as_fresh(alike, [10, 20, 90, 200, 90, 130])


def test_an_edit_in_place_is_seen_though_the_time_is_put_back(alike):
    score(embed(alike))
    with (alike / "b" / "0.bmp").open("r+b") as file:
        file.seek(54)
        file.write(bytes([77]) * 28 * 9)  # rows of 27 bytes, and one to fill them up
    os.utime(alike / "b" / "0.bmp", ns=(SECOND, SECOND))
    check_as_fresh(alike, [10, 20, 90, 77, 210, 130])


def test_images_of_new_inodes_and_times_are_read_once_and_not_embedded(alike, read):
    store = embed(alike)
    score(store)
    before, features = contents(store.folder), os.stat(store.folder / "features.npy")
    for path in alike.rglob("*.bmp"):
        shutil.copyfile(path, alike.parent / "aside")
        os.replace(alike.parent / "aside", path)
    del read[:]
    counts = []
    store = embed(alike, listener=Told(check=counts))
    assert counts == [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
    assert embed(alike, listener=Told(check=counts)).folder == store.folder
    assert len(counts) == 6
    assert read == []
    # The features stay where they are, and so do the scores.
    after = contents(store.folder)
    assert os.stat(store.folder / "features.npy").st_ino == features.st_ino
    assert [name for name in after if after[name] != before[name]] == ["stats.npy"]
    assert (
        score(store).values.tolist()
        == score(embed(alike, store=alike.parent / "x")).values.tolist()
    )


def test_an_export_of_hard_links_leaves_the_set_as_it_is(alike, moderate, read):
    moderate("select", "-r", "0.5", alike, "--copy-to", alike.parent / "out", "--link", "hard")
    del read[:]
    before = contents(Path(f"{alike}.moderate") / SET)
    assert moderate("score", alike).status == 0
    after = contents(Path(f"{alike}.moderate") / SET)
    assert read == []
    assert [name for name in after if after[name] != before[name]] == ["stats.npy"]


def test_only_what_changed_is_embedded_beside_what_was_touched(alike, read):
    embed(alike)
    for path in alike.rglob("*.bmp"):
        os.utime(path)
    bmp(alike / "a" / "0.bmp", 55)
    del read[:]
    assert (grays(embed(alike)), read) == ([55, 20, 90, 200, 210, 130], ["a/0.bmp"])


@pytest.mark.parametrize("damage", ["gone", "cut", "of another set"])
def test_stats_that_are_lost_cost_a_read_of_the_images_and_nothing_else(alike, read, damage):
    store = embed(alike)
    before = contents(store.folder)
    stats = store.folder / "stats.npy"
    if damage == "gone":
        stats.unlink()
    elif damage == "cut":
        stats.write_bytes(before["stats.npy"][:-1])
    else:  # that would have the files unchanged
        one, other = alike / "a" / "2.bmp", alike / "b" / "2.bmp"
        one.rename(alike.parent / "aside")
        other.rename(one)
        (alike.parent / "aside").rename(other)
        shutil.copy(embed(alike, store=alike.parent / "other").folder / "stats.npy", stats)
    levels = [10, 20, 90, 200, 210, 130]
    if damage == "of another set":
        levels = [10, 20, 130, 200, 210, 90]
    del read[:]
    assert (grays(embed(alike)), read) == (levels, [])
    check_as_fresh(alike, levels)


def swap_unseen(root, monkeypatch):
    """Let two images change places where inodes and times of the inode tell nothing."""
    plain = sources.as_stat
    monkeypatch.setattr(sources, "as_stat", lambda status: (*plain(status)[:2], 0, 0))
    before = embed(root)
    one, other = root / "a" / "2.bmp", root / "b" / "2.bmp"
    one.rename(root.parent / "aside")
    other.rename(one)
    (root.parent / "aside").rename(other)
    return before


def test_all_images_are_read_if_so_asked(alike, monkeypatch, read):
    swap_unseen(alike, monkeypatch)
    assert grays(embed(alike)) == [10, 20, 90, 200, 210, 130]  # nothing tells
    del read[:]
    counts = []
    store = embed(alike, check="content", listener=Told(check=counts))
    assert grays(store) == [10, 20, 130, 200, 210, 90]
    assert (counts[5], read) == ((6, 6), [])  # both contents are known
    assert grays(embed(alike)) == [10, 20, 130, 200, 210, 90]


def test_size_and_mtime_alone_may_tell_if_so_asked(alike, monkeypatch, read):
    embed(alike)
    plain, numbers = sources.as_stat, iter(range(1000))
    monkeypatch.setattr(sources, "as_stat", lambda status: (*plain(status)[:3], next(numbers)))
    counts = []
    embed(alike, check="mtime", listener=Told(check=counts))
    assert counts == []
    bmp(alike / "b" / "3.bmp", 7)
    del read[:]
    store = embed(alike, check="mtime")
    assert (grays(store), read) == ([10, 20, 90, 200, 210, 130, 7], ["b/3.bmp"])
    # What was taken on trust is not what a stricter check relies on.
    embed(alike, listener=Told(check=counts))
    assert counts[-1] == (7, 7)


@pytest.mark.parametrize(("value", "message"), [
    ("inode", "check: 'inode' is unknown; choose one of stat, mtime, content"),
])  # fmt: skip
def test_a_check_that_is_none_is_refused(alike, value, message):
    with pytest.raises(ArgumentError) as caught:
        embed(alike, check=value)
    assert str(caught.value) == message


def test_a_part_does_not_read_all(alike, moderate):
    with pytest.raises(ArgumentError, match=r"^use part or check='content', not both$"):
        embed(alike, part=(1, 2), check="content")
    done = moderate("embed", alike, "--part", "1/2", "--check", "content")
    assert (done.status, done.stderr) == (
        2,
        "moderate: error: use --part or --check content, not both (see 'moderate embed --help')\n",
    )


def test_parts_on_machines_that_know_other_inodes_fill_one_set(alike, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 2)
    plain = sources.as_stat
    for number in (1, 2, 3):
        monkeypatch.setattr(
            sources, "as_stat", lambda status, n=number: (*plain(status)[:3], n)
        )  # fmt: skip
        done = embed(alike, part=(number, 3))
    assert grays(done) == [10, 20, 90, 200, 210, 130]
    counts = []
    embed(alike, listener=Told(check=counts))
    assert counts == []


def test_a_touch_while_others_are_embedded_is_no_change(alike):
    def touch(done, total):
        if done == 6:
            os.link(alike / "a" / "0.bmp", alike.parent / "linked")

    assert grays(embed(alike, listener=Told(embed=touch))) == [10, 20, 90, 200, 210, 130]


def test_an_edit_while_others_are_embedded_is_told_though_its_time_is_put_back(alike):
    def edit(done, total):
        if done == 6:
            bmp(alike / "a" / "0.bmp", 55)

    with pytest.raises(DatasetError) as caught:
        embed(alike, batch_size=1, listener=Told(embed=edit))
    assert str(caught.value) == (
        f"{alike}: 1 image changed during the embedding, e.g. a/0.bmp; run again to embed the new"
        " contents"
    )
    check_as_fresh(alike, [55, 20, 90, 200, 210, 130])


def test_a_process_that_cannot_open_files_makes_no_image_changed(alike, monkeypatch):
    before = contents(embed(alike).folder)
    for path in alike.rglob("*.bmp"):
        os.utime(path)

    def full(path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    with monkeypatch.context() as patch:
        patch.setattr(sources, "read_file", full)
        with pytest.raises(DatasetError) as caught:
            embed(alike)
    assert str(caught.value) == (
        f"{alike}/a/0.bmp: cannot be read (Too many open files); allow more open files, as ulimit"
        " -n does"
    )
    assert contents(Path(f"{alike}.moderate") / SET) == before


def test_a_set_of_touched_images_that_cannot_be_written_is_used(alike, monkeypatch, read):
    embed(alike)
    for path in alike.rglob("*.bmp"):
        os.utime(path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(freshness, "keep_stats", None)
    del read[:]
    assert grays(embed(alike)) == [10, 20, 90, 200, 210, 130]
    assert read == []


def test_another_dataset_leaves_the_stats_of_a_set_as_they_are(alike, tmp_path):
    before = contents(embed(alike, store=tmp_path / "store").folder)
    bmp(tmp_path / "other" / "a" / "0.bmp", 1)
    os.utime(tmp_path / "other" / "a" / "0.bmp")
    with pytest.raises(StoreError, match="holds the features of another dataset"):
        embed(tmp_path / "other", store=tmp_path / "store")
    assert contents(tmp_path / "store" / SET) == before


def as_format_2(folder):
    """Rewrite a set as the format before had it, of which the rule made other pixels."""
    manifest = json.loads((folder / "manifest.json").read_text())
    stats = np.load(folder / "stats.npy")[:, :2]
    np.save(folder / "stats.npy", stats)
    (folder / "sums.npy").unlink()
    names = ("labels.npy", "paths.txt", "stats.npy", "digests.npy", "unreadable.txt")
    fields = {
        "format": 2,
        **{
            name: manifest[name]
            for name in (
                "spec", "weights", "weights_sha256", "runtime", "preprocessing", "rows", "dim",
                "classes",
            )
        },
        "sums": {name: content_digest((folder / name).read_bytes()).hex() for name in names},
    }  # fmt: skip
    fields["blake2b"] = content_digest(json.dumps(fields).encode("ascii")).hex()
    (folder / "manifest.json").write_text(json.dumps(fields, indent=2) + "\n")


@pytest.fixture
def older(alike):
    """A set of format 2, one picture of which is transparent."""
    picture = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 9, 4))
    picture.save(alike / "b" / "9.png")
    store = embed(alike)
    folder, features = store.folder, np.array(store.features)
    as_format_2(folder)
    np.save(folder / "scores-mean-euclidean.npy", np.arange(7.0))
    return alike, folder, features


def test_a_set_of_format_2_is_brought_up_to_date_by_its_bytes(older, read):
    root, folder, features = older
    del read[:]
    store = embed(root)
    assert read == ["b/9.png"]
    assert store.folder == folder
    assert np.array_equal(store.features[:6], features[:6])
    assert (store.manifest.format, store.manifest.pixels) == (3, 2)
    # Tags of the EXIF orientation are unknown, and bound to the manifest, as the stats are to that.
    assert store.orientations.tolist() == [0] * 6 + [1]
    fresh = contents(embed(root, store=root.parent / "fresh").folder)
    bound = {"orientations.npy", "manifest.json", "stats.npy"}
    assert {name for name, one in contents(folder).items() if one != fresh[name]} == bound
    del read[:]
    embed(root)
    assert read == []


def test_an_interrupted_set_of_format_2_gives_what_it_has(older, read, monkeypatch):
    root, folder, _ = older
    partial = folder.rename(folder.with_name(f"{SET}.partial"))
    (partial / "manifest.json").rename(partial / "plan.json")
    np.save(partial / "pending.npy", np.arange(7) == 1)
    (partial / "journal.jsonl").write_text(journal.line_of(blocks.REUSED, {}))
    del read[:]
    embed(root)
    assert read == ["a/1.bmp", "b/9.png"]


def test_info_shows_a_set_of_format_2(older, moderate):
    root, folder, _ = older
    done = moderate("info", root)
    assert (done.status, done.stderr) == (0, "")
    assert "feature set" in done.stdout
    assert folder.name in done.stdout


def test_a_moved_set_of_format_2_still_knows_its_dataset(older, tmp_path, read):
    root, folder, _ = older
    folder.parent.rename(tmp_path / "store")
    moved = root.rename(tmp_path / "moved")
    del read[:]
    embed(moved, store=tmp_path / "store")
    assert read == ["b/9.png"]


def test_a_larger_limit_tries_the_unreadable_again_and_no_other(alike, read):
    Image.new("RGB", (50, 50)).save(alike / "b" / "large.png")
    (alike / "b" / "none.png").write_bytes(b"none")
    store = embed(alike, max_pixels=2000)
    assert list(store.unreadable) == [6, 7]
    assert store.manifest.max_pixels == 2000
    del read[:]
    embed(alike, max_pixels=2000)
    embed(alike, max_pixels=1000)
    assert read == []
    store = embed(alike, max_pixels=2500)
    assert read == ["b/large.png", "b/none.png"]
    assert list(store.unreadable) == [7]
    assert contents(store.folder) == contents(
        embed(alike, max_pixels=2500, store=alike.parent / "fresh").folder
    )


def test_a_larger_limit_leaves_a_set_alone_in_which_all_could_be_read(alike, read):
    folder = embed(alike, max_pixels=2000).folder
    before = contents(folder)
    del read[:]
    embed(alike, max_pixels=10**9)
    assert (read, contents(folder)) == ([], before)


def test_the_command_takes_a_limit(alike, moderate):
    Image.new("RGB", (50, 50)).save(alike / "b" / "large.png")
    assert moderate("embed", alike, "--max-pixels", "2000").status == 1
    assert moderate("embed", alike).status == 0
    assert moderate("embed", alike, "--max-pixels", "0").status == 2
    with pytest.raises(ArgumentError) as caught:
        embed(alike, max_pixels=0)
    assert str(caught.value) == "max_pixels: 0 is not positive"


def test_a_tar_file_of_the_same_size_and_time_is_another_one(tmp_path, read):
    def pack(levels):
        folder = tmp_path / "images"
        with tarfile.open(tmp_path / "x.tar", "w") as tar:
            for number, level in enumerate(levels):
                bmp(folder / f"{number}.bmp", level)
                (folder / f"{number}.cls").write_text(str(number % 2))
                os.utime(folder / f"{number}.cls", ns=(SECOND, SECOND))
                for suffix in ("bmp", "cls"):
                    tar.add(folder / f"{number}.{suffix}", f"{number}.{suffix}")
        os.utime(tmp_path / "x.tar", ns=(SECOND, SECOND))

    pack((10, 20, 30))
    assert grays(embed(tmp_path / "x.tar")) == [10, 20, 30]
    pack((10, 20, 40))
    del read[:]
    assert grays(embed(tmp_path / "x.tar")) == [10, 20, 40]
    assert read == ["x/2"]
    os.link(tmp_path / "x.tar", tmp_path / "y.tar")
    counts = []
    for _ in range(2):
        embed(tmp_path / "x.tar", listener=Told(check=counts))
    assert (counts, read) == ([(1, 3), (2, 3), (3, 3)], ["x/2"])


def test_features_are_not_given_up_where_no_image_can_be_read_for_now(alike, read):
    elsewhere = alike.rename(alike.parent / "elsewhere")  # as a disk that links lead to
    for path in elsewhere.rglob("*.bmp"):
        link = alike / path.relative_to(elsewhere)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    before = contents(embed(alike).folder)
    elsewhere.rename(alike.parent / "gone")
    del read[:]
    with pytest.raises(DatasetError) as caught:
        embed(alike)
    assert str(caught.value) == (
        f"{alike}: no image can be read now (No such file or directory); the features"
        f" in {alike}.moderate/{SET} are kept"
    )
    (alike.parent / "gone").rename(elsewhere)
    assert contents(embed(alike).folder) == before
    assert read == []


def test_stats_of_a_change_that_nothing_else_tells_must_be_written(alike, monkeypatch):
    swap_unseen(alike, monkeypatch)

    def full(*_):
        raise OutputError("stats.npy: cannot be written (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr(freshness, "keep_stats", full)
        with pytest.raises(OutputError):
            embed(alike, check="content")
    assert grays(embed(alike, check="content")) == [10, 20, 130, 200, 210, 90]
