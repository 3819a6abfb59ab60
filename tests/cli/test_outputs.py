"""Commands overwrite no input, and write nothing into a dataset."""

import os
import stat

import pytest
from conftest import paint


def contents(folder):
    """Return path, mode and bytes of everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        found[path] = mode, path.read_bytes() if stat.S_ISREG(mode) else None
    return found


@pytest.mark.parametrize(
    "args",
    [
        ("select", "-r", "1", "DATA", "-o", "DATA/k.txt"),
        ("select", "-r", "1", "DATA", "-o", "k.txt"),
        ("select", "-r", "0.5,1", "DATA", "-o", "DATA/cat/{ratio}.txt"),
        ("select", "-r", "1", "DATA", "--manifest", "DATA/k.jsonl"),
        ("select", "-r", "1", "DATA", "--copy-to", "DATA/new"),
        ("select", "-r", "1", "DATA", "--copy-to", "DATA"),
        ("select", "-r", "1", "DATA", "--copy-to", "l/../train/new"),
        ("select", "-r", "1", "DATA", "--copy-to", "l/../train", "--force"),
        ("select", "-r", "1", "l/../train", "--copy-to", "DATA", "--force"),
        ("select", "-r", "1", "DATA", "--copy-to", "into/new"),
        ("score", "DATA", "-o", "DATA/s.npy"),
        ("suspects", "DATA", "-o", "DATA/cat/s.csv"),
        ("duplicates", "DATA", "-o", "DATA/cat/s.csv"),
        ("evaluate", "DATA", "-o", "DATA/cat/0.png"),
        ("evaluate", "DATA", "-o", "DATA/cat/new.png"),
        ("evaluate", "DATA", "--test", "TEST", "-o", "TEST/cat/0.png"),
        ("report", "DATA", "-o", "DATA/r.html"),
        ("report", "DATA", "-o", "r.html", "--png", "DATA"),
        ("report", "DATA", "-o", "r.html", "--png", "DATA/cat"),
        ("report", "DATA", "-o", "r.html", "--png", "DATA/plots"),
        ("report", "DATA", "-o", "r.html", "--png", "plots"),
        ("perturb", "DATA", "-o", "DATA/p", "--corrupt", "1"),
        ("perturb", "DATA", "-o", "l/../train/p", "--corrupt", "1"),
        ("perturb", "DATA", "-o", "into/p", "--corrupt", "1"),
        ("embed", "DATA", "--store", "into"),
        ("embed", "DATA", "--store", "DATA"),
        ("embed", "DATA", "--store", "DATA/cat/s"),
        ("embed", "DATA", "--store", "into/s"),
        ("select", "-r", "1", "DATA", "-o", "DATA.moderate/k.txt"),
        ("select", "-r", "1", "DATA", "--copy-to", "DATA.moderate/out"),
        ("select", "-r", "1", "DATA", "--copy-to", "DATA.moderate", "--force"),
    ],
)
def test_nothing_is_written_into_an_input(embedded, moderate, monkeypatch, args):
    folder = embedded.parent
    monkeypatch.chdir(folder)
    paint(folder / "test" / "cat" / "0.png", 5)
    paint(folder / "test" / "dog" / "0.png", 50)
    moderate("embed", "test")
    (folder / "k.txt").symlink_to("train/cat/0.png")
    (folder / "into").symlink_to("train/cat")
    (folder / "plots").mkdir()
    (folder / "plots" / "map.png").symlink_to("../train/cat/0.png")
    (folder / "else" / "sub").mkdir(parents=True)
    (folder / "else" / "train").symlink_to("../train")
    (folder / "l").symlink_to("else/sub")
    before = contents(folder)
    done = moderate(*(arg.replace("DATA", "train").replace("TEST", "test") for arg in args))
    assert done.stdout == ""
    assert done.status in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert any(what in done.stderr for what in ("feature store", "dataset", "is a picture"))
    assert contents(folder) == before


def test_the_dataset_that_the_shell_means_is_read(data, moderate, monkeypatch):
    folder = data.parent
    monkeypatch.chdir(folder)
    paint(folder / "else" / "train" / "bird" / "a.png", 5)
    paint(folder / "else" / "train" / "fish" / "b.png", 50)
    (folder / "else" / "sub").mkdir()
    (folder / "l").symlink_to("else/sub")
    done = moderate("select", "-r", "1", "l/../train", "-o", "l/../k.txt")
    assert done.status == 0
    assert (folder / "else" / "k.txt").read_text() == "bird/a.png\nfish/b.png\n"
    assert sorted(os.listdir(folder)) == ["else", "l", "train"]
    assert sorted(os.listdir("else")) == ["k.txt", "sub", "train", "train.moderate"]


@pytest.mark.parametrize("output", ["--copy-to", "-o"])
def test_harmful_outputs_are_refused_before_anything_is_embedded(data, moderate, output):
    done = moderate("select", "-r", "1", data, output, data / "new.txt")
    assert done == (
        1,
        "",
        f"moderate: error: {data}/new.txt: is inside the dataset; choose a folder outside it\n",
    )
    assert sorted(os.listdir(data.parent)) == ["train"]


def test_outputs_of_one_command_do_not_overlap(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded.parent)
    done = moderate("evaluate", "train", "-o", "a.csv", "-o", "./a.csv")
    assert done == (
        2, "", "moderate: error: ./a.csv: is named as an output twice; choose another file\n"
    )  # fmt: skip
    os.mkdir("out")
    done = moderate("select", "-r", "1", "train", "-o", "out/k.txt", "--copy-to", "out")
    assert done == (
        1, "", "moderate: error: out: contains another output; choose a separate folder\n"
    )  # fmt: skip


def written(path):
    """All but the time of the last access, which looking at a link changes."""
    found = os.lstat(path)
    return found.st_mode, found.st_ino, found.st_nlink, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: os.mkfifo(path), "is not a regular file; choose another name"),
        (lambda path: os.symlink("/dev/null", path), "is not a regular file; choose another name"),
        (lambda path: os.symlink(path, path), "is not a regular file; choose another name"),
        (lambda path: os.mkdir(path), "is a folder; name a file"),
        (
            lambda path: (open(path, "w").close(), os.chmod(path, 0o444)),
            "is write-protected; make it writable, or choose another name",
        ),
    ],
)
def test_only_writable_regular_files_are_replaced(data, moderate, tmp_path, make, reason):
    make(tmp_path / "k.txt")
    before = written(tmp_path / "k.txt")
    for args in (["select", "-r", "1"], ["score"], ["suspects"]):
        done = moderate(*args, data, "-o", tmp_path / "k.txt")
        assert done == (1, "", f"moderate: error: {tmp_path}/k.txt: {reason}\n")
    assert written(tmp_path / "k.txt") == before
    assert os.listdir(data.parent) == ["train"]
