"""Datasets that are lists of images: CSV, TSV, JSON lines, Parquet and plain lines."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from conftest import LEVELS
from pyarrow import parquet

from moderate_cli import embed, export, scan, select, write_index
from moderate_cli.dataset import remembering, sentences
from moderate_cli.dataset.lists import SUFFIXES
from moderate_cli.errors import DatasetError, OutputError

PIXELS = {"backbone": "pixels"}
HUGGING_FACE = {
    "info": {"features": {"label": {"names": ["cat", "dog", "owl"], "_type": "ClassLabel"}}}
}


@pytest.fixture
def rows(data, tmp_path, monkeypatch):
    """Path, class and a note of each image of `LEVELS`, in an order unlike that of ImageFolder."""
    monkeypatch.chdir(tmp_path)
    found = [
        (f"{name}/{number}.png", name, f'a "{level}",\nsaid twice')
        for name, levels in LEVELS.items()
        for number, level in enumerate(levels)
    ]
    return found[3:] + found[:3]


def written(path, rows, header=("path", "label", "note")):
    """Write a list in the format of its suffix."""
    suffix = path.suffix
    if suffix in (".csv", ".tsv"):
        with path.open("w", newline="") as file:
            table = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",")
            table.writerows([header, *rows])
    elif suffix == ".jsonl":
        lines = [json.dumps(dict(zip(header, row, strict=True))) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
    elif suffix == ".txt":
        path.write_text("".join(f"{row[0]} {row[1]}\n" for row in rows))
    else:
        names = HUGGING_FACE["info"]["features"]["label"]["names"]
        columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
        columns["label"] = [names.index(name) for name in columns["label"]]
        table = pyarrow.table(columns).replace_schema_metadata(
            {"huggingface": json.dumps(HUGGING_FACE)}
        )
        parquet.write_table(table, path)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_list_is_the_dataset_that_its_folders_are(data, rows, suffix):
    listed, folders = scan(written(data / f"l{suffix}", rows)), scan(data)
    assert listed.classes == folders.classes
    assert list(listed.paths) == list(folders.paths)
    assert listed.labels.tolist() == folders.labels.tolist()
    assert listed.notices == ()
    assert np.array_equal(embed(listed, **PIXELS).features, embed(folders, **PIXELS).features)
    kept = [
        [one.dataset.paths[row] for row in one.rows]
        for one in (select(some, ratio=0.5, **PIXELS) for some in (listed, folders))
    ]
    assert kept[0] == kept[1]
    assert (data / f"l{suffix}.moderate").is_dir()  # beside the list


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_kept_rows_keep_all_columns_and_their_order(data, rows, suffix, moderate):
    written(data / f"l{suffix}", rows)
    names = [f"kept{suffix}", "kept.npy", "kept.json"]
    for name in names:
        moderate("select", f"train/l{suffix}", "--count", "4", "-o", name)
    numbers = np.load("kept.npy").tolist()
    assert len(numbers) == 4
    written(data / f"again{suffix}", [rows[number] for number in numbers])
    if suffix == ".parquet":
        tables = [parquet.read_table(path) for path in (names[0], data / "again.parquet")]
        assert tables[0].equals(tables[1])
        assert tables[0].schema.metadata == tables[1].schema.metadata
    else:
        with open(names[0], newline="") as one, open(data / f"again{suffix}", newline="") as other:
            assert one.read() == other.read()
    images = json.loads(Path("kept.json").read_text())["images"]
    assert {one["row"]: one["path"] for one in images} == {at: rows[at][0] for at in numbers}


@pytest.fixture
def moderate(moderate, data, monkeypatch):
    """The command line, beside the dataset."""
    monkeypatch.chdir(data.parent)
    return moderate


def test_a_row_is_copied_byte_for_byte(data, tmp_path):
    text = '\ufefffile;Label \r\n"cat/0.png";cat\r\n\r\ndog/0.png; dog\r\ncat/1.png;"cat"'
    (data / "l.csv").write_bytes(text.encode())
    dataset = scan(data / "l.csv")
    assert list(dataset.paths) == ["cat/0.png", "cat/1.png", "dog/0.png"]
    with open(tmp_path / "kept.csv", "wb") as file:
        dataset.listed.copy(np.array([1, 2]), file)
    kept = '\ufefffile;Label \r\n\r\ndog/0.png; dog\r\ncat/1.png;"cat"\n'
    assert (tmp_path / "kept.csv").read_bytes() == kept.encode()


def test_paths_are_found_as_people_write_them(data):
    lines = [
        "image_id,breed",
        "../train/cat/0,c",
        "./cat/1.png,c",
        "dog\\0.png,d",
        f"{data}/dog/1.png,d",
    ]
    (data / "l.csv").write_text("\n".join(lines))
    dataset = scan(data / "l.csv")
    assert list(dataset.paths) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert dataset.classes == ("c", "d")
    shutil.move(data / "l.csv", data.parent / "l.csv")
    assert list(scan(data.parent / "l.csv", images=data).paths) == list(dataset.paths)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.txt", "cat/0.png 7\ndog/0.png\t3\n\nowl/a b.png 3\n"),
        ("l.csv", "cat/0.png,7\ndog/0.png,3\nowl/a b.png,3\n"),
        ("l.csv", "target,x,filename\n7,1,cat/0.png\n3,1,dog/0.png\n3,1,owl/a b.png\n"),
    ],
)
def test_lists_without_a_header_or_in_another_order(data, name, content):
    (data / "owl" / "0.png").rename(data / "owl" / "a b.png")
    (data / name).write_text(content)
    dataset = scan(data / name)
    assert dataset.classes == ("3", "7")
    assert list(dataset.paths) == ["dog/0.png", "owl/a b.png", "cat/0.png"]


def test_columns_are_named_where_their_names_are_unusual(data, moderate):
    (data / "l.csv").write_text("where,what,label\ncat/0.png,x,1\ndog/0.png,y,1\nowl/0.png,x,1\n")
    found = scan(data / "l.csv", path_column="where", label_column="what")
    assert (found.classes, found.labels.tolist()) == (("x", "y"), [0, 0, 1])
    said = moderate(
        "select", "train/l.csv", "--ratio", "1", "--path-column", "where",
        "--label-column", "what",
    )  # fmt: skip
    assert said.stdout == "cat/0.png\nowl/0.png\ndog/0.png\n"


def test_odd_rows_are_counted_and_said(data):
    lines = ["path,label", "cat/0.png,cat", "cat/9.png,cat", "cat/0.png,cat", "dog/0.png,"]
    (data / "l.csv").write_text("\n".join([*lines, "dog/1.png,dog", "no/1.png,dog"]))
    dataset = scan(data / "l.csv")
    assert list(dataset.paths) == ["cat/0.png", "dog/1.png"]
    assert [str(one) for one in sentences(dataset)] == [
        "ignored 2 rows whose image does not exist, such as cat/9.png; --images names another"
        " folder",
        "ignored 1 repeated row",
        "ignored 1 row without a class",
        "not listed: 4 images in its folders, such as cat/1.png",
    ]


WRONG = {
    "l.csv": {
        "": "is empty; name a list of images",
        "path,label\n": "has no rows; name a list of images",
        "label,x\ncat,1\n": "has no column of paths (its columns: label, x); name it with"
        " --path-column",
        "path,path\na,b\n": "has two columns 'path'; rename one",
        "path,label\ncat/0.png,cat,1\n": "line 2 has 3 fields instead of 2; correct it",
        "path,label\n../other/cat/0.png,cat\n": "../other/cat/0.png (line 2) is outside of {top};"
        " name the folder of all images with --images",
        "path,label\n/etc/passwd,cat\n": "/etc/passwd (line 2) is outside of {top}; name the folder"
        " of all images with --images",
        "path,label\nhttps://a/b.png,cat\n": "https://a/b.png (line 2) is a URL; download"
        " the images, and list their files",
        "path,label\nx.png,cat\n": "none of its 1 image is in its folder (x.png); name their folder"
        " with --images",
        "path,label\n0.png,cat\n": "none of its 1 image is in its folder (0.png); pass --images"
        " {top}/cat",
        "path,label\ncat/0.png,cat\ncat/0.png,dog\n": "cat/0.png has two classes, cat and dog (line"
        " 2 and line 3); keep one, or pass --features with --labels",
        "cat/0.png,cat,1\n": "has no header, and 3 columns instead of path and label; add a header",
        'path,label\ncat/0.png,"cat\n': None,
        "path,label\ncaf\xe9/0.png,cat\n": "is not UTF-8 (byte 0xe9); convert it, e.g. with iconv"
        " -t UTF-8",
    },
    "l.jsonl": {
        '["cat/0.png"]\n': "line 1 is not a JSON object; correct it",
        '{"path": "cat/0.png", "label": "\\ud800"}\n': "line 1 has '\\ud800', which is not a class;"
        " write a name or a number",
        '{"path": "\\u0000/0.png", "label": 1}\n': None,
        "{oops\n": "line 1 is not a JSON object; correct it",
        '{"path": "cat/0.png", "label": ["a", "b"]}\n': "line 1 has several values in a cell; an"
        " image has one class here, so pass --features with --labels, or --scores",
    },
    "l.parquet": {"PAR1 but not really": None},
    "l.tsv": {"a\0b\tlabel\n": None},
}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [(name, content, said) for name, some in WRONG.items() for content, said in some.items()],
)
def test_a_wrong_list_is_refused_in_a_line(data, name, content, message):
    (data / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(DatasetError) as error:
        scan(data / name)
    shown = str(error.value)
    assert shown.startswith(f"{data / name}: ")
    assert "\n" not in shown
    if message is not None:
        assert shown == f"{data / name}: {message.format(top=data)}"


def test_a_column_that_has_no_classes_is_refused(data):
    shutil.copytree(data / "cat", data / "many")
    for number in range(25):
        shutil.copy(data / "cat" / "0.png", data / "many" / f"{number}.png")
    lines = [f"many/{number}.png,{number / 7}" for number in range(25)]
    (data / "l.csv").write_text("\n".join(["path,target", *lines]))
    with pytest.raises(DatasetError, match=r"each image has a class of its own \(target\)"):
        scan(data / "l.csv")


def test_a_list_without_classes_can_be_clustered(data, moderate):
    (data / "l.csv").write_text("path,width,x\ncat/0.png,9,1\ncat/4.png,9,2\n")
    refused = moderate("select", "train/l.csv", "--ratio", "1")
    assert refused.stderr == (
        "moderate: error: train/l.csv: has no column of classes (its columns: path, width, x); name"
        " it with --label-column, or use --labels kmeans:K\n"
    )
    done = moderate("select", "train/l.csv", "--ratio", "1", "--labels", "kmeans:2")
    assert done.stdout == "cat/0.png\ncat/4.png\n"


def test_options_of_lists_need_a_list(data, moderate):
    refused = moderate("select", "train", "--ratio", "1", "--label-column", "x")
    assert "--label-column needs a list of images, such as train.csv, not train" in refused.stderr


def test_a_copy_has_the_images_and_their_rows(data, rows, tmp_path):
    written(data / "l.csv", rows)
    selection = select(data / "l.csv", count=4, **PIXELS)
    export(selection.dataset, selection.mask, tmp_path / "small")
    again = scan(tmp_path / "small" / "l.csv")
    assert [again.paths[at] for at in range(4)] == [
        selection.dataset.paths[row] for row in selection.rows
    ]
    assert again.notices == ()
    inverted = ~np.asarray(selection.mask)
    export(selection.dataset, inverted, tmp_path / "rest", link="symbolic")
    assert len(scan(tmp_path / "rest" / "l.csv")) == len(rows) - 4


def test_a_list_of_absolute_paths_is_not_copied(data, tmp_path):
    (data / "l.csv").write_text(f"path,label\n{data}/cat/0.png,cat\n")
    with pytest.raises(OutputError, match=r"the paths in l\.csv are absolute"):
        export(data / "l.csv", [True], tmp_path / "small")


def test_a_list_that_changed_is_not_copied_from(data, rows, tmp_path):
    selection = select(written(data / "l.csv", rows), count=4, **PIXELS)
    written(data / "l.csv", rows[1:])
    with pytest.raises(DatasetError, match="has changed since it was read; run again"):
        write_index(
            tmp_path / "kept.csv", selection.scores, selection.mask, dataset=selection.dataset
        )
    assert not (tmp_path / "kept.csv").exists()


def test_neither_the_list_nor_an_image_is_overwritten(data, rows, moderate, monkeypatch):
    monkeypatch.chdir(data)
    before = written(data / "l.csv", rows).read_bytes()
    for output, said in (
        ("l.csv", "is also the list of the dataset; choose another file"),
        ("dog/0.png", "unknown suffix"),
    ):
        refused = moderate("select", "l.csv", "--ratio", "1", "-o", output)
        assert said in refused.stderr
    (data / "kept.csv").symlink_to("cat/0.png")
    assert moderate("select", "l.csv", "--ratio", "1", "-o", "kept.csv").status == 1
    assert (data / "l.csv").read_bytes() == before
    moderate("select", "l.csv", "--ratio", "1", "-o", "beside.csv")
    assert len((data / "beside.csv").read_bytes()) == len(before)  # in the list's order


def test_a_class_may_have_any_name(data, tmp_path):
    (data / "l.csv").write_text("path,label\ncat/0.png,/\ncat/1.png,..\ndog/0.png,a/b\n")
    selection = select(data / "l.csv", ratio=1, **PIXELS)
    assert selection.dataset.classes == ("..", "/", "a/b")
    export(selection.dataset, selection.mask, tmp_path / "copy")
    assert sorted(os.listdir(tmp_path / "copy")) == [".moderate-export", "cat", "dog", "l.csv"]


def test_metadata_of_hugging_face_replaces_class_folders(data):
    flat = data.parent / "flat"
    shutil.copytree(data / "cat", flat)
    names = ["file_name,text,label", "0.png,a,x", "1.png,b,y", "2.png,c,x"]
    (flat / "metadata.csv").write_text("\n".join(names))
    dataset = scan(flat)
    assert (dataset.classes, list(dataset.paths)) == (("x", "y"), ["0.png", "2.png", "1.png"])
    assert dataset.home == flat
    (flat / "metadata.csv").write_text("file_name,text\n0.png,a\n")
    assert scan(flat).flat


def test_an_image_keeps_its_features_when_its_row_moves(data, rows):
    written(data / "l.csv", rows)
    first = embed(scan(data / "l.csv"), **PIXELS)
    written(data / "l.csv", rows[1:])
    second = embed(scan(data / "l.csv"), **PIXELS)
    assert len(second) == len(first) - 1


def test_evaluate_reads_its_test_set_from_a_list(pictures, moderate):
    for part in ("train", "test"):
        if part == "test":
            shutil.copytree(pictures, pictures.parent / "test")
        lines = [f"{name}/{at}.png,{name}" for name in "abcd" for at in range(5)]
        (pictures.parent / f"{part}.csv").write_text("\n".join(["image,kind", *lines]))
    done = moderate(
        "evaluate", "train.csv", "--test", "train/../test.csv", "--images", pictures, "--ratio",
        "0.5", "--seeds", "1", "--strategy", "random",
    )  # fmt: skip
    assert "random" in done.stdout


def test_a_test_list_may_have_columns_and_a_folder_of_its_own(pictures, moderate, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    for name in "abcd":
        shutil.copytree(pictures / name, f"test/{name}")
    names = [f"{name}/{at}.png,{name}" for name in "abcd" for at in range(5)]
    Path("train.csv").write_text("\n".join(["where,what", *names]))
    Path("test/test.csv").write_text("\n".join(["image,label", *names]))
    done = moderate(
        "evaluate", "train.csv", "--test", "test/test.csv", "--images", "train", "--path-column",
        "where", "--label-column", "what", "--ratio", "0.5", "--strategy", "random",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    # Class folders as a test set have no columns.
    done = moderate(
        "evaluate", "train.csv", "--test", "test", "--images", "train", "--path-column", "where",
        "--ratio", "0.5", "--strategy", "random",
    )  # fmt: skip
    assert done.status == 0, done.stderr


def test_a_copy_is_not_put_among_the_listed_images(data, rows, moderate, monkeypatch):
    monkeypatch.chdir(data.parent)
    written(data / "l.csv", rows)
    for folder in ("train/cat/out", "train/dog/a/b"):
        refused = moderate("select", "train/l.csv", "--ratio", "1", "--copy-to", folder)
        assert refused.stderr == (
            f"moderate: error: {folder}: is inside the folder of the listed images; choose a folder"
            " outside it\n"
        )
    shutil.move("train/l.csv", "l.csv")
    args = ("select", "l.csv", "--images", "train", "--ratio", "1", "--copy-to")
    assert moderate(*args, "train/out").status == 1
    assert moderate(*args, "out").status == 0


def test_a_store_beside_a_list_is_no_ignored_folder(data, rows, moderate):
    embed(scan(written(data / "l.csv", rows)), **PIXELS)
    assert (data / "l.csv.moderate").is_dir()
    assert scan(data).notices == ()
    (data / "old.moderate").mkdir()
    assert [one.names for one in scan(data).notices] == [("old.moderate",)]


def test_long_names_of_classes_are_cut_in_messages(data, moderate):
    names = [f"{'x' * 5000}{number}" for number in range(4)]
    rows = [f"cat/{number}.png,{name}" for number, name in enumerate(names)]
    (data / "l.csv").write_text("\n".join(["path,label", *rows]))
    for args in (("--dry-run",), ("--scope", "global", "--min-per-class", "0")):
        done = moderate("select", "train/l.csv", "--count", "2", *args)
        assert max(map(len, (done.stdout + done.stderr).splitlines())) < 800, args
    (data / "l.csv").write_text("\n".join(["path,label", *rows, f"cat/0.png,{names[1]}"]))
    assert len(moderate("select", "train/l.csv", "--count", "2").stderr) < 600


def test_duplicates_against_the_dataset_itself_are_refused(data, moderate):
    for other in ("train", "train/", f"{data}/../train"):
        refused = moderate("duplicates", "train", "--against", other)
        assert refused.status == 2
        assert "is the dataset itself; leave it out to find near duplicates in it" in refused.stderr
    assert not (data.parent / "train.moderate").exists()  # refused before the work


def test_metadata_may_have_a_column_of_another_name(data):
    names = ["file_name,label,kind", "0.png,a,x", "1.png,a,y", "2.png,b,x"]
    (data / "cat" / "metadata.csv").write_text("\n".join(names))
    assert scan(data / "cat", label_column="kind").classes == ("x", "y")


@pytest.fixture
def apart(data, rows):
    """A list whose images are in another folder."""
    (data.parent / "lists").mkdir()
    return written(data.parent / "lists" / "train.csv", rows)


def told(done):
    return [line for line in done.stderr.splitlines() if "said before" in line]


def test_the_folder_of_images_is_named_once(data, apart, moderate, monkeypatch):
    monkeypatch.chdir(data.parent)
    first = moderate("select", "-r", "0.5", "lists/train.csv", "--images", "train")
    assert (first.status, told(first)) == (0, [])
    memory = apart.parent / "train.csv.moderate" / "images.txt"
    assert memory.read_text() == "../../train"
    line = "moderate: images of lists/train.csv are in train, as --images said before"
    again = moderate("select", "-r", "0.5", "lists/train.csv")
    assert (again.stdout, told(again)) == (first.stdout, [line])
    done = moderate("suspects", "lists/train.csv")
    assert (done.status, told(done)) == (0, [line])
    done = moderate("info", "lists/train.csv")
    assert re.search(rf"^images in +{data}$", done.stdout, re.M)
    assert scan(apart).root == data
    moved = data.parent.rename(data.parents[1] / "moved")  # all together
    assert scan(moved / "lists" / "train.csv").root == moved / "train"


def test_another_folder_of_images_replaces_the_one_before(data, apart, moderate):
    moderate("embed", apart, "--images", data)
    shutil.copytree(data, apart.parent, dirs_exist_ok=True)
    assert told(moderate("embed", apart)) != []
    store = apart.parent / "train.csv.moderate"
    moderate("embed", apart, "--images", apart.parent)
    assert not (store / "images.txt").exists()
    assert scan(apart).root == apart.parent
    shutil.copytree(data, apart.parent / "other")
    moderate("embed", apart, "--images", apart.parent / "other")
    assert (store / "images.txt").read_text() == "../other"


def test_a_store_elsewhere_remembers_too(data, apart, moderate, tmp_path):
    store = ("--store", tmp_path / "own")
    assert moderate("embed", apart, "--images", data, *store).status == 0
    assert (tmp_path / "own" / "images.txt").read_text() == "../data/train"
    assert not (apart.parent / "train.csv.moderate").exists()
    assert moderate("select", "-r", "0.5", apart, *store).status == 0
    assert "up to date" in moderate("info", apart, *store).stdout
    done = moderate("select", "-r", "0.5", apart)
    assert "none of its 8 images is in its folder (cat/3.png); name their folder" in done.stderr


def test_a_remembered_folder_that_is_gone_is_named(data, apart, moderate):
    moderate("embed", apart, "--images", data)
    data.rename(data.parent / "gone")
    done = moderate("select", "-r", "0.5", apart)
    assert (done.status, done.stderr) == (
        1,
        f"moderate: error: {apart}: its images were in {data}, which is not a folder any more; name"
        " their folder with --images\n",
    )
    data.mkdir()
    done = moderate("select", "-r", "0.5", apart)
    assert f"none of its 8 images is in {data} (cat/3.png); name their folder" in done.stderr
    done = moderate("select", "-r", "0.5", apart, "--images", data.parent / "gone")
    assert done.status == 0
    assert moderate("select", "-r", "0.5", apart).status == 0


def test_a_dry_run_and_a_store_that_cannot_be_written_remember_nothing(
    data, apart, moderate, monkeypatch
):
    moderate("embed", "--dry-run", apart, "--images", data)
    assert os.listdir(apart.parent) == ["train.csv"]

    def full(_):
        raise OutputError("images.txt: cannot be written (No space left on device)")

    monkeypatch.setattr(remembering, "new_file", full)
    assert moderate("embed", apart, "--images", data).status == 0
    assert not (apart.parent / "train.csv.moderate" / "images.txt").exists()


def test_a_test_list_has_a_memory_of_its_own(data, apart, moderate):
    shutil.copy(apart, apart.parent / "test.csv")
    args = ("evaluate", apart, "--test", apart.parent / "test.csv", "--seeds", "1", "-r", "0.5")
    assert moderate(*args, "--images", data).status == 0
    done = moderate(*args)
    assert (done.status, len(told(done))) == (0, 2)


ODD = "caf\udce9"  # as a folder of Latin-1 has it


@pytest.fixture
def latin(data, monkeypatch):
    """A dataset with a class and images whose names are not UTF-8."""
    monkeypatch.chdir(data.parent)
    (data / "cat").rename(data / ODD)
    for path in list((data / "dog").iterdir()):
        path.rename(path.with_name(f"\udcff{path.name}"))
    return data


def test_names_that_are_not_utf_8_come_back_from_every_table(latin, moderate):
    assert moderate("suspects", "train", "--fraction", "0.99", "-o", "s.csv").status == 0
    assert b"caf\xe9/0.png,caf\xe9," in Path("s.csv").read_bytes()
    done = moderate("select", "train", "-r", "1", "--labels", "s.csv", "-o", "kept.csv")
    assert (done.status, done.stdout) == (0, "")
    assert "s.csv: all labels are those of DATA" in done.stderr
    Path("fixed.csv").write_bytes(b"path,label\ndog/\xff0.png,caf\xe9\n")
    done = moderate("score", "train", "--labels", "fixed.csv", "-o", "scores.csv")
    assert "fixed.csv: corrected 1 label" in done.stderr
    assert b"dog/\xff0.png,caf\xe9," in Path("scores.csv").read_bytes()
    listed, folders = scan("kept.csv", images="train"), scan("train")
    assert (list(listed.paths), listed.classes) == (list(folders.paths), folders.classes)
    done = moderate("select", "kept.csv", "--images", "train", "-r", "1", "-o", "again.csv")
    assert (done.status, Path("again.csv").read_bytes()) == (0, Path("kept.csv").read_bytes())
    done = moderate("select", "train", "-r", "1", "--keep-from", "again.csv", "-o", "all.txt")
    assert "keeping all 8 images of again.csv" in done.stderr


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl"])
def test_a_list_of_names_that_are_not_utf_8_is_read_and_copied_by_bytes(latin, suffix):
    cells = [(os.fsencode(path), b"dog" if b"dog" in os.fsencode(path) else b"other")
             for path in scan("train").paths]  # fmt: skip
    between = {".csv": b",", ".tsv": b"\t", ".txt": b" "}.get(suffix)
    head = b"" if between is None or suffix == ".txt" else between.join([b"path", b"label"]) + b"\n"
    lines = [
        b'{"path": "%s", "label": "%s"}\n' % row if between is None else between.join(row) + b"\n"
        for row in cells
    ]
    path = Path(f"list{suffix}")
    path.write_bytes(b"".join([head, *lines]))
    selection = select(scan(path, images="train"), ratio=1, **PIXELS)
    write_index(f"kept{suffix}", selection.scores, selection, dataset=selection.dataset)
    assert Path(f"kept{suffix}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"path,label\ncat/0.png,caf\xe9\n",  # of Latin-1: the name of the image does not say it
        b"path,label\ncaf\xe9/0.png,cat\ncat/0.png,cat\n",
        b"path,class\xe9\ncat/0.png,cat\n",
        "path,label\ncat/0.png,cat\n".encode("utf-16"),
    ],
)
def test_a_list_in_another_encoding_is_refused(data, tmp_path, content):
    (data / "list.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"list\.csv: is not UTF-8 \(byte 0x(e9|ff)\); convert"):
        scan(data / "list.csv")


def test_names_in_other_case_are_said_to_be_so(data, rows):
    path = written(data / "list.csv", [(name.upper(), label, note) for name, label, note in rows])
    with pytest.raises(DatasetError, match="none of its 8 images"):
        scan(path)  # a folder has another case, too
    path = written(data / "list.csv", [(f"{one[:-3]}PNG", *more) for one, *more in rows])
    with pytest.raises(DatasetError, match=r"correct upper and lower case: there is 3\.png$"):
        scan(path)


def test_the_first_line_of_json_may_lack_a_key(data, rows):
    lines = [{"label": label, "path": name} for name, label, _ in rows]
    first = lines[0].pop("label")
    (data / "list.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    listed = scan(data / "list.jsonl")
    assert (len(listed), listed.classes) == (7, ("cat", "dog", "owl"))
    assert [(one.kind, one.count) for one in listed.notices] == [("no class", 1)]
    assert first == "cat"


@pytest.mark.parametrize("start", ["\n\n", "\ufeff\r\n"])
def test_empty_lines_before_the_header_do_not_matter(data, rows, start):
    text = "".join(f"{name};{label}\n" for name, label, _ in [("path", "label", ""), *rows])
    (data / "list.csv").write_text(f"{start}{text}", encoding="utf-8", newline="")
    assert len(scan(data / "list.csv")) == 8
    selection = select(scan(data / "list.csv"), ratio=1, **PIXELS)
    write_index("kept.csv", selection.scores, selection, dataset=selection.dataset)
    assert len(scan("kept.csv", images=data)) == 8


def test_what_is_in_place_of_names_is_shown_in_a_line(data, tmp_path):
    cells = ["x" * 100_000, "y" * 100_000]
    parquet.write_table(pyarrow.table({"image": cells, "label": [0, 1]}), data / "list.parquet")
    with pytest.raises(DatasetError, match=r"\(x{200}\.\.\.\); name their folder"):
        scan(data / "list.parquet")
    bytes_ = pyarrow.array([b"GIF89a", b"GIF89a"], pyarrow.binary_view())
    parquet.write_table(pyarrow.table({"image": bytes_, "label": [0, 1]}), data / "list.parquet")
    with pytest.raises(DatasetError, match="column image has binary_view in place of text"):
        scan(data / "list.parquet")
