import errno
import os
import shutil
import tarfile
import threading
from dataclasses import dataclass, replace

import numpy as np
import pytest
from conftest import paint
from listeners import Told
from torchvision.datasets import ImageFolder

from moderate_cli.dataset import scan
from moderate_cli.dataset.sources import Files
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.exporting import folders as exporting
from moderate_cli.exporting.folders import export
from moderate_cli.exporting.marks import MARK
from moderate_cli.files import places

KEPT = np.array([True, False, False, True, False, True, False, True])
NAMES = ["cat/0.png", "cat/3.png", "dog/0.png", "owl/0.png"]


def tree(root):
    return sorted(
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
        if name != MARK
    )


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_an_export_is_an_image_folder_with_the_same_classes(data, tmp_path, link):
    before = tree(data), os.stat(data / "cat").st_mtime_ns
    target = tmp_path / "out" / "pruned"
    export(scan(data), KEPT, target, link=link)
    assert tree(target) == NAMES
    assert ImageFolder(target).class_to_idx == ImageFolder(data).class_to_idx
    for name in NAMES:
        assert (target / name).read_bytes() == (data / name).read_bytes()
        assert (target / name).is_symlink() == (link == "symbolic")
        assert os.path.samefile(target / name, data / name) == (link != "none")
        assert os.stat(target / name).st_mtime_ns == os.stat(data / name).st_mtime_ns
    assert before == (tree(data), os.stat(data / "cat").st_mtime_ns)


def test_sub_folders_are_kept(data, tmp_path):
    paint(data / "cat" / "deep" / "er" / "x.png", 5)
    paint(data / "cat" / "deep.png", 5)
    kept = np.ones(10, dtype=bool)
    export(scan(data), kept, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(data)


def test_the_kept_rows_are_those_of_a_subset(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")
    source = ImageFolder(data)
    rows = [source.samples[row] for row in np.flatnonzero(KEPT)]
    exported = ImageFolder(tmp_path / "out").samples
    assert [(os.path.relpath(p, data), y) for p, y in rows] == [
        (os.path.relpath(p, tmp_path / "out"), y) for p, y in exported
    ]


def refusal(dataset, target, kept=KEPT, **options):
    with pytest.raises(OutputError) as caught:
        export(dataset, kept, target, **options)
    return str(caught.value)


def test_an_existing_folder_is_refused_or_replaced(data, tmp_path):
    dataset, target = scan(data), tmp_path / "out"
    export(dataset, np.ones(8, dtype=bool), target)
    assert refusal(dataset, target) == f"{target}: exists; --force replaces it"
    assert len(tree(target)) == 8
    export(dataset, KEPT, target, force=True)
    assert tree(target) == NAMES


def test_force_replaces_nothing_but_exports(data, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    paint(tmp_path / "val" / "cat" / "0.png", 5)
    dataset = scan(data)
    for name in ("home", "val", "val/cat/../../home"):
        assert refusal(dataset, f"{tmp_path}/{name}", force=True) == (
            f"{tmp_path}/{name}: was not made by --copy-to, so --force does not replace it; choose"
            " another folder"
        )
    (tmp_path / "link").symlink_to("home")
    for force in (True, False):
        assert refusal(dataset, tmp_path / "link", force=force) == (
            f"{tmp_path}/link: is not a folder; choose another name"
        )
    assert tree(tmp_path / "home") == ["thesis.tex"]
    assert tree(tmp_path / "val") == ["cat/0.png"]


def test_force_does_not_lose_what_was_put_into_an_export(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")
    (tmp_path / "out" / "cat" / "notes.txt").touch()
    assert refusal(scan(data), tmp_path / "out", force=True) == (
        f"{tmp_path}/out: cat/notes.txt was added since the export, and --force would lose it;"
        " move it away, or choose another folder"
    )


@pytest.mark.parametrize("name", ["empty", "cat/empty", "a/b/c"])
def test_force_does_not_lose_an_empty_folder_that_was_put_into_an_export(data, tmp_path, name):
    export(scan(data), KEPT, tmp_path / "out")
    (tmp_path / "out" / name).mkdir(parents=True)
    assert refusal(scan(data), tmp_path / "out", force=True) == (
        f"{tmp_path}/out: {name}/ was added since the export, and --force would lose it; move it"
        " away, or choose another folder"
    )
    assert (tmp_path / "out" / name).is_dir()


def test_folders_of_an_export_that_are_empty_now_are_its_own(data, tmp_path):
    (data / "ape").mkdir()
    export(scan(data), KEPT, tmp_path / "out")
    for image in (tmp_path / "out" / "cat").iterdir():
        image.unlink()
    for _ in range(2):
        export(scan(data), KEPT, tmp_path / "out", force=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".moderate-export", "ape", "cat", "dog", "owl",
    ]  # fmt: skip


def test_what_is_put_into_an_export_while_it_is_replaced_stays(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")

    def appear(*_):
        (tmp_path / "out" / "notes.txt").touch()

    assert "force would lose" in refusal(
        scan(data), tmp_path / "out", force=True, listener=Told(copy=appear)
    )
    assert (tmp_path / "out" / "notes.txt").exists()


def test_what_comes_to_be_while_images_are_copied_stays(data, tmp_path):
    def appear(*_):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "other.txt").touch()

    assert refusal(scan(data), tmp_path / "out", listener=Told(copy=appear)) == (
        f"{tmp_path}/out: exists; choose another folder"
    )
    assert tree(tmp_path) == sorted(["out/other.txt", *(f"data/train/{n}" for n in tree(data))])


def test_images_that_are_links_are_not_replaced_by_themselves(data, tmp_path):
    everything = np.ones(8, dtype=bool)
    export(scan(data), everything, tmp_path / "one")
    export(scan(tmp_path / "one"), everything, tmp_path / "two", link="symbolic")
    assert refusal(scan(tmp_path / "two"), tmp_path / "one", everything, force=True) == (
        f"{tmp_path}/one: images of the dataset, such as 'cat/0.png', are links to it; choose"
        " another folder"
    )


def test_images_that_are_links_to_elsewhere_may_replace_an_export(data, tmp_path):
    everything = np.ones(8, dtype=bool)
    export(scan(data), everything, tmp_path / "links", link="symbolic")
    export(scan(tmp_path / "links"), KEPT, tmp_path / "out")
    export(scan(tmp_path / "links"), everything, tmp_path / "out", force=True)
    assert tree(tmp_path / "out") == tree(data)


def test_a_class_folder_may_be_a_link_and_is_the_dataset_all_the_same(data, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("cat", "dog", "owl"):
        (linked / name).symlink_to(data / name)
    for target in (data / "cat", data / "cat" / "new"):
        assert refusal(scan(linked), target, force=True) == (
            f"{target}: is inside the dataset; choose a folder outside it"
        )


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("train", "contains the dataset; choose a separate folder"),
        (".", "contains the dataset; choose a separate folder"),
        ("train/pruned", "is inside the dataset; choose a folder outside it"),
        ("link/../train", "contains the dataset; choose a separate folder"),
        ("into", "is inside the dataset; choose a folder outside it"),
        ("into/pruned", "is inside the dataset; choose a folder outside it"),
        ("cat/../pruned", "is inside the dataset; choose a folder outside it"),
    ],
)
def test_the_dataset_is_never_a_target(data, place, reason):
    (data.parent / "beside").mkdir()
    (data.parent / "link").symlink_to("beside")
    (data.parent / "into").symlink_to("train/cat")
    (data.parent / "cat").symlink_to("train/cat")
    target = f"{data.parent}/{place}"
    for force in (True, False):
        assert refusal(scan(data), target, force=force) == f"{target}: {reason}"
    assert len(tree(data)) == 8


def test_a_class_is_never_emptied(data, tmp_path):
    kept = KEPT.copy()
    kept[7] = False
    assert refusal(scan(data), tmp_path / "out", kept) == (
        f"{tmp_path}/out: 1 of 3 classes would be empty, e.g. 'owl', and ImageFolder's class"
        " indices would shift; keep more images"
    )
    assert not (tmp_path / "out").exists()


def test_the_first_of_all_classes_that_would_be_emptied_is_named(data, tmp_path):
    assert refusal(scan(data), tmp_path / "out", np.arange(8) == 5) == (
        f"{tmp_path}/out: 2 of 3 classes would be empty, e.g. 'cat', and ImageFolder's class"
        " indices would shift; keep more images"
    )


def test_an_export_is_marked_as_one_by_a_hidden_file(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [".moderate-export", "cat", "dog", "owl"]


def test_a_folder_without_classes_is_exported_as_one(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        paint(tmp_path / "flat" / name, 5)
    export(scan(tmp_path / "flat"), np.array([True, False, True]), tmp_path / "out")
    assert tree(tmp_path / "out") == ["a.png", "c.png"]


@pytest.mark.parametrize("part", [1, 3, 8])
def test_all_is_exported_and_told_of_whatever_is_done_at_a_time(data, tmp_path, monkeypatch, part):
    monkeypatch.setattr(exporting, "PART", part)
    counts = []
    export(
        scan(data), np.ones(8, dtype=bool), tmp_path / "out",
        listener=Told(copy=counts),
    )  # fmt: skip
    assert tree(tmp_path / "out") == tree(data)
    # Five cats, two dogs, an owl; parts are of one folder.
    steps = {1: range(1, 9), 3: (3, 5, 7, 8), 8: (5, 7, 8)}[part]
    done, of = zip(*counts, strict=True)
    assert sorted(np.diff([0, *done])) == sorted(np.diff([0, *steps]))
    assert (done[-1], set(of)) == (8, {8})


def test_an_export_leaves_no_folder_open(data, tmp_path):
    before = os.listdir("/proc/self/fd")
    export(scan(data), KEPT, tmp_path / "out")
    assert os.listdir("/proc/self/fd") == before


def test_a_hard_link_to_another_file_system_names_the_way_out(data, tmp_path, monkeypatch):
    def link(*_args, **_options):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", link)
    assert refusal(scan(data), tmp_path / "out", link="hard") == (
        f"{data}/cat/0.png: a hard link cannot lead to another file system; use --link symbolic"
    )
    assert not (tmp_path / "out").exists()


@dataclass(frozen=True)
class Far(Files):
    """Stands in for images that are elsewhere."""


def test_images_that_are_elsewhere_are_not_exported(data, tmp_path):
    far = replace(scan(data), source=Far())
    assert refusal(far, tmp_path / "out") == (
        f"{tmp_path}/out: images of {data} are not on this machine; -o lists the kept ones"
    )


@pytest.fixture
def tars(data, tmp_path):
    """The dataset in two tar files."""
    (tmp_path / "tars").mkdir()
    for name, folders in (("a.tar", ("cat",)), ("b.tar", ("dog", "owl"))):
        with tarfile.open(tmp_path / "tars" / name, "w") as file:
            for folder in folders:
                file.add(data / folder, folder)
    return tmp_path / "tars"


def test_an_export_of_tars_holds_tars_of_the_same_names(tars, tmp_path):
    dataset, counts = scan(f"{tars}/{{a,b}}.tar"), []
    export(dataset, KEPT, tmp_path / "out", listener=Told(copy=counts))
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "a.tar", "b.tar"]
    members = {}
    for name in ("a.tar", "b.tar"):
        with tarfile.open(tmp_path / "out" / name) as file:
            members[name] = file.getnames()
    assert members == {"a.tar": NAMES[:2], "b.tar": NAMES[2:]}
    assert counts == [(1, 4), (2, 4), (3, 4), (4, 4)]
    export(dataset, ~KEPT, tmp_path / "out", force=True)
    assert len(scan(f"{tmp_path}/out/{{a,b}}.tar")) == 4


def test_an_export_of_tars_is_not_replaced_if_something_was_put_into_it(tars, tmp_path):
    dataset = scan(f"{tars}/{{a,b}}.tar")
    export(dataset, KEPT, tmp_path / "out")
    (tmp_path / "out" / "mine.tar").touch()
    assert "--force would lose " in refusal(dataset, tmp_path / "out", force=True)

    def appear(*_):
        (tmp_path / "other" / "mine.tar").touch()

    export(dataset, KEPT, tmp_path / "other")
    assert "--force would lose " in refusal(
        dataset, tmp_path / "other", force=True, listener=Told(copy=appear)
    )
    assert (tmp_path / "other" / "mine.tar").exists()


def test_what_is_not_replaced_is_refused_before_anything_is_exported(data, tars, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    counts = []
    for dataset in (scan(data), scan(f"{tars}/{{a,b}}.tar")):
        for force in (True, False):
            message = refusal(dataset, tmp_path / "home", force=force, listener=Told(copy=counts))
            assert message.startswith(f"{tmp_path}/home: ")
    assert counts == []
    assert tree(tmp_path / "home") == ["thesis.tex"]


def test_tars_are_not_linked_to(tars, tmp_path):
    with pytest.raises(ArgumentError) as caught:
        export(scan(tars / "a.tar"), np.ones(5, dtype=bool), tmp_path / "out", link="symbolic")
    assert str(caught.value) == "link='symbolic' needs images in folders, not in tar files"


def test_tars_of_one_name_would_become_one(tars, tmp_path):
    (tmp_path / "more").mkdir()
    (tars / "b.tar").rename(tmp_path / "more" / "a.tar")
    dataset = scan(f"{tmp_path}/{{tars,more}}/a.tar")
    assert refusal(dataset, tmp_path / "out") == (
        f"{tmp_path}/out: two of the tar files have the same name; rename one"
    )


def test_a_class_that_was_empty_stays(data, tmp_path):
    (data / "bee").mkdir()
    export(scan(data), KEPT, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "bee", "cat", "dog", "owl"]


def test_an_export_that_fails_leaves_nothing(data, tmp_path):
    dataset = scan(data)
    (data / "dog" / "0.png").unlink()
    assert refusal(dataset, tmp_path / "out") == (
        f"{data}/dog/0.png: cannot be exported (No such file or directory)"
    )
    assert os.listdir(tmp_path) == ["data"]


def test_a_hard_link_leads_to_the_file_behind_a_link(data, tmp_path):
    (data / "cat" / "0.png").rename(data.parent / "0.png")
    (data / "cat" / "0.png").symlink_to("../../0.png")
    export(scan(data), KEPT, tmp_path / "deep" / "er" / "out", link="hard")
    assert not (tmp_path / "deep" / "er" / "out" / "cat" / "0.png").is_symlink()


def test_an_unknown_link_is_refused(data, tmp_path):
    with pytest.raises(ArgumentError) as caught:
        export(scan(data), KEPT, tmp_path / "out", link="ref")
    assert str(caught.value) == "link: 'ref' is unknown; choose one of none, hard, symbolic"


def test_two_mounts_of_the_dataset_are_one(data, tmp_path, monkeypatch):
    # A second mount has the same device and inode under another path; here a stand-in says so.
    (tmp_path / "view").mkdir()
    real = os.stat

    def stat(path, *args, **named):
        text = os.fspath(path) if not isinstance(path, int) else ""
        seen = text.replace(f"{tmp_path}/view", os.fspath(data), 1) if text else path
        return real(seen, *args, **named)

    monkeypatch.setattr(os, "stat", stat)
    assert refusal(scan(data), tmp_path / "view" / "new") == (
        f"{tmp_path}/view/new: is inside the dataset; choose a folder outside it"
    )
    assert refusal(scan(data), tmp_path / "view", force=True) == (
        f"{tmp_path}/view: contains the dataset; choose a separate folder"
    )


def test_a_linked_sub_folder_is_not_replaced(data, tmp_path):
    everything = np.ones(8, dtype=bool)
    export(scan(data), everything, tmp_path / "out")
    other = tmp_path / "other"
    paint(other / "cat" / "a.png", 5)
    paint(other / "dog" / "b.png", 5)
    (other / "cat" / "more").symlink_to("../../out/cat")
    dataset = scan(other)
    assert len(dataset) == 7
    assert refusal(dataset, tmp_path / "out", np.ones(7, dtype=bool), force=True) == (
        f"{tmp_path}/out: contains images of the dataset, reached through 'cat/more'; choose"
        " another folder"
    )
    assert tree(tmp_path / "out") == tree(data)


def test_a_file_that_took_the_place_of_an_exported_one_is_not_lost(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")
    (tmp_path / "out" / "cat" / "0.png").unlink()
    (tmp_path / "out" / "cat" / "mine.png").write_bytes(b"mine")
    assert refusal(scan(data), tmp_path / "out", force=True) == (
        f"{tmp_path}/out: cat/mine.png was added since the export, and --force would lose it; move"
        " it away, or choose another folder"
    )


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_an_exported_file_that_was_changed_is_not_lost(data, tmp_path, link):
    export(scan(data), KEPT, tmp_path / "out", link=link)
    (tmp_path / "out" / "cat" / "0.png").unlink()
    (tmp_path / "out" / "cat" / "0.png").write_bytes(b"cropped")
    assert "cat/0.png was changed since the export" in refusal(
        scan(data), tmp_path / "out", force=True
    )


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_an_export_from_which_files_were_removed_is_replaced(data, tmp_path, link):
    dataset = scan(data)
    export(dataset, KEPT, tmp_path / "out", link=link)
    (tmp_path / "out" / "cat" / "0.png").unlink()
    export(dataset, KEPT, tmp_path / "out", link=link, force=True)
    assert tree(tmp_path / "out") == NAMES


def test_an_export_of_an_earlier_version_is_left_alone(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")
    (tmp_path / "out" / MARK).write_text("4\n")
    assert refusal(scan(data), tmp_path / "out", force=True) == (
        f"{tmp_path}/out: was exported by an earlier version, which kept no list of its files;"
        " remove it yourself, or choose another folder"
    )


@pytest.mark.parametrize(
    "mark", ["", "moderate export 2\nno json\n", "moderate export 2\n[1]\n", "[[[[", "\udcff"]
)
def test_a_damaged_mark_is_no_mark(data, tmp_path, mark):
    export(scan(data), KEPT, tmp_path / "out")
    (tmp_path / "out" / MARK).write_bytes(os.fsencode(mark))
    assert refusal(scan(data), tmp_path / "out", force=True) == (
        f"{tmp_path}/out: was not made by --copy-to, so --force does not replace it; choose another"
        " folder"
    )


def test_a_mark_that_is_a_fifo_is_no_mark(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out")
    (tmp_path / "out" / MARK).unlink()
    os.mkfifo(tmp_path / "out" / MARK)
    assert "was not made by --copy-to" in refusal(scan(data), tmp_path / "out", force=True)


def test_what_force_would_not_replace_is_not_offered_to_it(data, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    assert refusal(scan(data), tmp_path / "home") == (
        f"{tmp_path}/home: exists; choose another folder"
    )


def test_a_mount_point_is_refused_before_anything_is_copied(data, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(places, "MOUNTS", os.fspath(tmp_path / "mountinfo"))
    (tmp_path / "mountinfo").write_text(
        f"36 35 98:0 / {tmp_path}/with\\040space rw - ext4 /dev/a rw\n"
        f"37 35 98:0 / {tmp_path}/out rw - ext4 /dev/a rw\n"
    )
    assert refusal(scan(data), tmp_path / "out") == (
        f"{tmp_path}/out: is a mount point, which cannot be replaced; choose a folder inside it,"
        f" e.g. {tmp_path}/out/out"
    )


def test_an_export_with_a_mount_in_it_is_not_replaced(data, tmp_path, monkeypatch):
    dataset = scan(data)
    export(dataset, KEPT, tmp_path / "out")
    monkeypatch.setattr(places, "MOUNTS", os.fspath(tmp_path / "mountinfo"))
    (tmp_path / "mountinfo").write_text(f"36 35 98:0 / {tmp_path}/out/cat rw - ext4 /dev/a rw\n")
    assert refusal(dataset, tmp_path / "out", force=True) == (
        f"{tmp_path}/out: contains the mount point {tmp_path}/out/cat; unmount that first"
    )
    assert tree(tmp_path / "out") == NAMES
    assert sorted(os.listdir(tmp_path)) == ["data", "mountinfo", "out"]


def test_several_that_replace_an_export_at_once_all_succeed(data, tmp_path):
    dataset, failed = scan(data), []
    export(dataset, KEPT, tmp_path / "out")

    def replace():
        try:
            export(dataset, KEPT, tmp_path / "out", force=True)
        except OutputError as error:
            failed.append(error)

    threads = [threading.Thread(target=replace) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert tree(tmp_path / "out") == NAMES
    assert sorted(os.listdir(tmp_path)) == ["data", "out"]


@pytest.mark.parametrize("link", ["none", "symbolic"])
def test_links_that_pass_through_an_export_keep_it(data, tmp_path, link):
    export(scan(data), np.ones(8, dtype=bool), tmp_path / "out", link="symbolic")
    for name in tree(tmp_path / "out"):
        (tmp_path / "two" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "two" / name).symlink_to(tmp_path / "out" / name)
    assert refusal(
        scan(tmp_path / "two"), tmp_path / "out", np.ones(8, dtype=bool), force=True, link=link
    ) == (
        f"{tmp_path}/out: images of the dataset, such as 'cat/0.png', are links to it; choose"
        " another folder"
    )
    assert len(tree(tmp_path / "out")) == 8


def test_a_file_with_two_names_in_an_export_is_not_lost(data, tmp_path):
    export(scan(data), np.ones(8, dtype=bool), tmp_path / "out")
    for name in ("0.png", "1.png"):
        (tmp_path / "out" / "cat" / name).unlink()
    (tmp_path / "out" / "cat" / "0.png").write_bytes(b"mine")
    (tmp_path / "out" / "cat" / "1.png").hardlink_to(tmp_path / "out" / "cat" / "0.png")
    assert "png was changed since the export" in refusal(scan(data), tmp_path / "out", force=True)


def test_labels_that_were_corrected_in_an_export_are_not_lost(data, tmp_path):
    for path in data.rglob("*.png"):
        path.write_bytes(path.read_bytes().ljust(200, b"\0"))  # of one size
        os.utime(path, ns=(0, 0))  # and one time, as from an archive
    export(scan(data), KEPT, tmp_path / "out")
    one, other = tmp_path / "out" / "cat" / "0.png", tmp_path / "out" / "dog" / "0.png"
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    assert "cat/0.png was changed since the export" in refusal(
        scan(data), tmp_path / "out", force=True
    )


def test_a_copied_export_is_replaced(data, tmp_path):
    export(scan(data), np.ones(8, dtype=bool), tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    export(scan(data), KEPT, tmp_path / "copy", force=True)
    assert tree(tmp_path / "copy") == NAMES


def test_an_image_changed_along_with_its_hard_link_is_no_loss(data, tmp_path):
    export(scan(data), KEPT, tmp_path / "out", link="hard")
    with (data / "cat" / "0.png").open("ab") as file:
        file.write(b"\0")
    export(scan(data), KEPT, tmp_path / "out", force=True)
    assert tree(tmp_path / "out") == NAMES


@pytest.mark.parametrize(
    "kept",
    [
        np.array([7, 1, 0]),
        np.array([True]),
        np.ones(9, dtype=bool),
        np.ones((2, 8), dtype=bool),
        np.ones(8),
        [1] * 8,
    ],
)
def test_an_array_that_is_not_a_mask_is_refused(data, tmp_path, kept):
    with pytest.raises(ArgumentError) as caught:
        export(scan(data), kept, tmp_path / "out")
    assert str(caught.value) == "kept: is not a mask, a bool array of shape (8,)"


def test_a_list_is_a_mask_and_a_path_a_dataset(data, tmp_path):
    export(data, KEPT.tolist(), tmp_path / "out")
    assert tree(tmp_path / "out") == NAMES


def test_the_store_is_no_place_for_an_export(data, tmp_path):
    target = data.with_name("train.moderate") / "out"
    assert refusal(scan(data), target) == (
        f"{target}: is inside the feature store; choose a folder outside it"
    )


def test_an_export_with_empty_classes_says_what_image_folder_needs(embedded, moderate, tmp_path):
    (embedded / "bee").mkdir()
    done = moderate("select", "-r", "1", embedded, "--copy-to", tmp_path / "out")
    assert done.stderr.splitlines()[-2:] == [
        f"moderate: warning: {tmp_path}/out: has empty classes; ImageFolder needs allow_empty=True",
        "moderate: Kept 8 of 8 images in 3 classes (100 % of the 8; 0 dropped first) with moderate"
        f" -> {tmp_path}/out",
    ]
    assert len(ImageFolder(tmp_path / "out", allow_empty=True)) == 8
