"""Corrected labels, which are used in place of those of the dataset."""

import csv
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from conftest import LEVELS, draw, paint, painted
from pyarrow import parquet
from shown import without_closing
from tables import read_saved, rows_of, save, table_of, write_shards
from torchvision.datasets import ImageFolder

from moderate_cli import embed, evaluate, export, report, scan, score, select, suspects, write_index
from moderate_cli.dataset.correcting import read_corrections
from moderate_cli.embedding import lifecycle
from moderate_cli.errors import DatasetError, OutputError

PATHS = [f"{name}/{image}.png" for name, levels in LEVELS.items() for image in range(len(levels))]
CSV = "path,label\ncat/4.png,dog\ndog/1.png,\n"


@pytest.fixture
def corrected(data, monkeypatch):
    """In the folder of the dataset `train`: a file that moves an image, and leaves one out."""
    monkeypatch.chdir(data.parent)
    (data.parent / "corrected.csv").write_text(CSV)
    return "corrected.csv"


def read(path):
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    found = read_corrections(path, PATHS, labels, ("cat", "dog", "owl"), name="train", root="/r")
    return found.corrected.tolist()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv", f"\ufeff{CSV}".replace("\n", "\r\n")),
        ("a.csv", "seen;label;path\ncat;dog;cat/4.png\nowl;;dog/1.png\n"),
        ("a.csv", "path,given,seen,probability,label\ncat/4.png,cat,owl,0.9,dog\ndog/1.png,,,,\n"),
        ("a.csv", "path,label\n./cat/4.png,dog\ncat\\4.png,dog\n/r/dog/1.png,\ncat/0.png,cat\n"),
        ("a.tsv", CSV.replace(",", "\t")),
        (
            "a.jsonl",
            '{"path": "cat/4.png", "label": "dog"}\n{"path": "dog/1.png", "label": null}\n',
        ),
        ("a.txt", "cat/4.png dog\ndog/1.png\n"),
    ],
)
def test_labels_are_read_as_people_write_them(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    assert read(tmp_path / name) == [0, 0, 0, 0, 1, 1, -1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\ncat/0.png,owls\n", "line 2: class 'owls' is unknown; did you mean owl?"),
        ("path,label\ncat/0.png,Dog\n", "line 2: class 'Dog' is unknown; did you mean dog?"),
        ('path,"label"\n\n"a\nb.png",cat\n\ncat/0.png,dgo\n', "line 6: class 'dgo' is unknown"),
        ("path,label\nnone.png,dgo\ncat/0.png,dog\n", "line 2: class 'dgo' is unknown"),
        ("path,label\ncat/0.png,dog\ncat/1.png,dog\n./cat/0.png,\n", "cat/0.png has two labels"
         " (line 2 and line 4); keep one"),
        ("path,label\nx.png,dog\ny.png,dog\n", "none of its 2 paths is in train (x.png); write"),
        ("path,given,seen\ncat/0.png,cat,dog\n", "has no column of classes (its columns: path,"
         " given, seen); name it label"),
        ("path,score\ncat/0.png,0.5\n", "has no column of classes (its columns: path, score);"
         " name it label"),
        ("cat/0.png,0.5\ncat/1.png,0.7\n", "line 1: class '0.5' is unknown"),
        ("", "is empty"),
        ("path,label\ncat/\udcff.png,dog\n", "is not UTF-8 (byte 0xff)"),
        (None, "No such file or directory; name a file of corrected labels"),
    ],
)  # fmt: skip
def test_wrong_labels_are_refused_in_a_line(tmp_path, content, message):
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_of_widths_is_not_one_of_classes_that_are_numbers(tmp_path):
    paths, labels, classes = ["0/a.png", "1/b.png"], np.array([0, 1]), ("0", "1")
    rows = "0/a.png,1\n1/b.png,0\n"
    (tmp_path / "a.csv").write_text(f"path,width\n{rows}")
    with pytest.raises(DatasetError) as caught:
        read_corrections(tmp_path / "a.csv", paths, labels, classes, name="n")
    assert str(caught.value) == (
        f"{tmp_path}/a.csv: has no column of classes (its columns: path, width); name it label"
    )
    for known in ("path,Label\n", "path,digit\n", "id,class\n", ""):
        (tmp_path / "a.csv").write_text(f"{known}{rows}")
        found = read_corrections(tmp_path / "a.csv", paths, labels, classes, name="n")
        assert found.corrected.tolist() == [1, 0]


def test_a_plain_list_of_images_does_not_leave_them_out(tmp_path):
    (tmp_path / "kept.txt").write_text("cat/4.png\ndog/1.png\n")
    with pytest.raises(DatasetError, match=r"/kept\.txt: has no classes; write one behind each"):
        read(tmp_path / "kept.txt")
    (tmp_path / "kept.txt").write_text("cat/4.png dog\ndog/1.png\n")
    assert read(tmp_path / "kept.txt") == [0, 0, 0, 0, 1, 1, -1, 2]


def test_a_list_without_suspects_corrects_nothing(tmp_path):
    (tmp_path / "none.csv").write_text("path,given,seen,probability,label\n")
    assert read(tmp_path / "none.csv") == [0, 0, 0, 0, 0, 1, 1, 2]


def test_every_command_uses_them_and_the_features_stay(data, corrected, moderate, counted):
    embed("train", backbone="pixels", dtype="float32")
    made = counted(lifecycle, "_open_engine")
    line = "moderate: corrected.csv: corrected 1 label, left out 1 image\n"
    done = moderate("select", "train", "-r", "1", "--labels", corrected, "-o", "kept.csv")
    assert done._replace(stderr=without_closing(done.stderr)) == (0, "", line)
    lines = (data.parent / "kept.csv").read_text().splitlines()
    kept = {one["path"]: one["class"] for one in csv.DictReader(lines)}
    assert len(kept) == 7
    assert (kept["cat/4.png"], kept["cat/0.png"]) == ("dog", "cat")
    done = moderate("select", "train", "-r", "1", "--labels", corrected, "-o", "kept.txt")
    assert "kept.txt does not have the 1 corrected label of its images; -o kept.csv" in done.stderr
    # 192 equal features; the mean of cat is now 76.5, of dog 127.5.
    done = moderate("score", "train", "--labels", corrected)
    assert done.stderr == line
    scores = {path: float(value) for value, path in map(str.split, done.stdout.splitlines())}
    assert scores["cat/4.png"] == pytest.approx(192**0.5 * 127.5 / 255, rel=1e-5)
    assert scores["cat/0.png"] == pytest.approx(192**0.5 * 76.5 / 255, rel=1e-5)
    assert "dog/1.png" not in scores
    done = moderate("suspects", "train", "--fraction", "0.99", "--labels", corrected)
    assert {tuple(one.split("\t")[:2]) for one in done.stdout.splitlines()} >= {
        ("cat/4.png", "dog"), ("cat/0.png", "cat"),
    }  # fmt: skip
    done = moderate("duplicates", "train", "--labels", corrected)
    assert "cat/4.png" in done.stdout
    assert "dog/1.png" not in done.stdout
    assert done.stderr.startswith(line)
    assert moderate("report", "train", "--labels", corrected, "-o", "page.html").status == 0
    assert made == []
    assert (data / "cat" / "4.png").exists()


def test_results_of_corrected_labels_are_kept_apart(data, corrected, monkeypatch):
    options = {"backbone": "pixels", "fraction": 0.9}
    before = suspects("train", **options).table().rows
    after = suspects("train", labels=corrected, **options).table().rows
    assert before != after
    again = (data.parent / "again.csv").write_text("path,label\ncat/4.png,owl\n") and "again.csv"
    other = suspects("train", labels=again, **options).table().rows
    assert other not in (before, after)
    for labels, rows in ((None, before), (corrected, after), (again, other)):
        assert suspects("train", labels=labels, **options).table().rows == rows
    (data.parent / "same.csv").write_text("path,label\ncat/4.png,cat\n")
    monkeypatch.setattr("moderate_cli.results.find_suspects", None)  # would fail
    assert suspects("train", labels="same.csv", **options).table().rows == before


def test_evaluations_of_corrected_labels_are_kept_apart(pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    rows = "".join(f"a/{image}.png,b\nb/{image}.png,a\n" for image in range(5))
    (pictures.parent / "swapped.csv").write_text(f"path,label\n{rows}")
    shutil.copytree(pictures, pictures.parent / "test")
    options = {
        "test": "test", "ratio": [0.5], "strategy": ["random"], "seeds": 1, "backbone": "pixels",
    }  # fmt: skip
    full, *_ = evaluate("train", **options).lines
    swapped, *_ = evaluate("train", labels="swapped.csv", **options).lines
    assert full.accuracy.mean == 1
    assert swapped.accuracy.mean == 0.5  # those of c and d; the test set is not corrected


def test_a_copy_has_images_in_the_folders_of_their_classes(data, corrected, tmp_path, moderate):
    paint(data / "dog" / "4.png", 7)
    done = moderate("select", "train", "-r", "1", "--labels", corrected, "--copy-to", "out")
    (closing,) = done.stderr.splitlines()[1:]
    assert closing.startswith("moderate: Kept 8 of 8 images in 3 classes ")
    assert closing.endswith(" with moderate -> out")
    copy = ImageFolder(tmp_path / "data" / "out")
    assert [path.removeprefix(f"{copy.root}/") for path, _ in copy.samples] == [
        *(f"cat/{image}.png" for image in range(4)),
        "dog/0.png", "dog/4-1.png", "dog/4.png", "owl/0.png",
    ]  # fmt: skip
    moved = tmp_path / "data" / "out" / "dog" / "4-1.png"
    assert moved.read_bytes() == (data / "cat" / "4.png").read_bytes()


@pytest.mark.parametrize("label", ["cat", ""])
def test_a_copy_keeps_the_folder_of_a_class_that_no_image_is_of_any_more(
    data, moderate, label, monkeypatch
):
    monkeypatch.chdir(data.parent)
    (data.parent / "empty.csv").write_text(f"path,label\nowl/0.png,{label}\n")
    args = ("select", "train", "-r", "1", "--labels", "empty.csv", "--copy-to")
    done = moderate(*args, "out")
    assert done.status == 0, done.stderr
    assert "moderate: warning: train: 1 class has no images with empty.csv: owl\n" in done.stderr
    assert "out: has empty classes; ImageFolder needs allow_empty=True" in done.stderr
    copy = ImageFolder(data.parent / "out", allow_empty=True)
    assert copy.class_to_idx == {"cat": 0, "dog": 1, "owl": 2}
    assert sorted(copy.targets) == [0] * (6 if label else 5) + [1, 1]
    # Of other classes some image must be kept.
    selection = select("train", ratio=1, labels="empty.csv", backbone="pixels")
    some = selection.mask & (selection.dataset.corrected_labels == 0)
    with pytest.raises(OutputError, match="1 of 3 classes would be empty"):
        export(selection.dataset, some, "other")


@pytest.mark.parametrize("kind", ["tar", "list"])
def test_a_copy_without_class_folders_says_nothing_of_image_folder(data, moderate, kind):
    if kind == "tar":
        source, rows = data.parent / "a.tar", [("0", "owl"), ("1", "cat")]
        with tarfile.open(source, "w") as tar:
            for key, name in rows:
                image = (data / "cat" / f"{key}.png").read_bytes()
                for suffix, content in (("png", image), ("cls", name.encode())):
                    member = tarfile.TarInfo(f"{key}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    else:
        source = data / "a.csv"
        source.write_text("path,class\ncat/0.png,owl\ncat/1.png,cat\n")
    path = "0" if kind == "tar" else "cat/0.png"
    (data.parent / "empty.csv").write_text(f"path,label\n{path},cat\n")
    out = data.parent / "out"
    labels = data.parent / "empty.csv"
    done = moderate("select", source, "-r", "1", "--labels", labels, "--copy-to", out)
    assert done.status == 0, done.stderr
    assert f"1 class has no images with {labels}: owl\n" in done.stderr
    assert "ImageFolder" not in done.stderr


def test_a_published_selection_says_how_labels_were_corrected(data, corrected, moderate):
    moderate("select", "train", "-r", "1", "--labels", corrected, "-o", "kept.json")
    kept = json.loads((data.parent / "kept.json").read_text())
    assert kept["recipe"]["corrections"] == {
        "file": "corrected.csv",
        "blake2b": kept["recipe"]["corrections"]["blake2b"],
        "corrected": 1,
        "left_out": 1,
    }
    (moved,) = (one for one in kept["images"] if "given" in one)
    assert (moved["path"], moved["class"], moved["given"]) == ("cat/4.png", "dog", "cat")
    assert moderate("verify", "kept.json", "train").status == 0
    done = moderate(
        "select", "train", "--recipe", "kept.json", "--labels", corrected, "-o", "2.json"
    )
    assert done.stderr.splitlines()[1] == "moderate: selected the same 7 images as in kept.json"
    assert (data.parent / "2.json").read_bytes() == (data.parent / "kept.json").read_bytes()
    done = moderate("select", "train", "--recipe", "kept.json", "-o", "3.json")
    assert "because its labels were corrected (pass --labels corrected.csv)" in done.stderr


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".txt", ".parquet"])
def test_the_rows_of_a_list_have_the_corrected_class(data, corrected, suffix):
    """All else in a row stays as it is."""
    rows = [{"image": path, "class": path[:3], "by": 'A "B"'} for path in PATHS]
    table, kept = data / f"list{suffix}", data.parent / f"kept{suffix}"
    if suffix == ".csv":
        lines = [f'{one["image"]},{one["class"]}, "q",A ""B""\r\n' for one in rows]
        table.write_text("".join(["image,class,n,by\r\n", *lines]), newline="")
    elif suffix == ".jsonl":
        table.write_text("".join(json.dumps(one) + "\n" for one in rows))
    elif suffix == ".txt":
        table.write_text("".join(f"{one['image']} {one['class']}\n" for one in rows))
    else:
        parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    selection = select(table, ratio=1, labels=corrected, backbone="pixels")
    write_index(kept, selection.scores, selection, dataset=selection.dataset)
    known, found = scan(table), scan(kept, images=data)
    own = {
        path: found.classes[label] for path, label in zip(found.paths, found.labels, strict=True)
    }
    assert len(own) == len(known) - 1
    assert own == {path: path[:3] for path in PATHS if path != "dog/1.png"} | {"cat/4.png": "dog"}
    if suffix == ".csv":
        lines = kept.read_bytes().splitlines(keepends=True)
        assert lines[1] == b'cat/0.png,cat, "q",A ""B""\r\n'
        assert lines[5] == b'cat/4.png,dog," ""q""","A """"B"""""\r\n'
    export(selection.dataset, selection, data.parent / "out")
    copied = scan(data.parent / "out" / f"list{suffix}")
    assert dict(zip(copied.paths, copied.labels.tolist(), strict=True))["cat/4.png"] == 1


def test_a_class_index_of_a_list_stays_a_number(data, corrected):
    (data.parent / "numbers.csv").write_text("path,label\ncat/4.png,1\n")
    rows = [{"file_name": path, "label": "cdo".index(path[0])} for path in PATHS]
    parquet.write_table(pyarrow.Table.from_pylist(rows), data / "list.parquet")
    (data / "list.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    for suffix in (".parquet", ".jsonl"):
        selection = select(data / f"list{suffix}", ratio=1, labels="numbers.csv", backbone="pixels")
        kept = data.parent / f"kept{suffix}"
        write_index(kept, selection.scores, selection, dataset=selection.dataset)
        if suffix == ".parquet":
            found = parquet.read_table(kept).to_pylist()
        else:
            found = [json.loads(line) for line in kept.read_text().splitlines()]
        assert [one["label"] for one in found] == [0, 0, 0, 0, 1, 1, 1, 2]


def test_features_that_are_passed_alone_are_corrected_too(data, corrected):
    store = embed("train", backbone="pixels", dtype="float32")
    direct = score("train", labels=corrected, backbone="pixels", dtype="float32").values
    np.testing.assert_array_equal(score(store, labels=corrected).values, direct)
    assert np.isnan(direct[6])


def test_what_cannot_be_corrected_is_refused(data, corrected, moderate):
    done = moderate("select", "-r", "0.5", "train", "--labels", corrected, "-o", "corrected.csv")
    assert (done.status, done.stderr) == (
        2,
        "moderate: error: corrected.csv: is also an input; choose another file\n",
    )
    assert (data.parent / corrected).read_text() == CSV
    done = moderate("select", "-r", "0.5", "train", "--labels", "labels.npy")
    assert "with DATA, --labels labels.npy is neither kmeans:K nor a table" in done.stderr


def test_images_without_classes_get_theirs_from_a_list(tmp_path, moderate, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = ["path,label\n"]
    for label, name in enumerate("ab"):
        for image in range(3):
            draw(tmp_path / "flat" / f"{name}{image}.png", label, image)
            rows.append(f"{name}{image}.png,{name}\n")
    (tmp_path / "labels.csv").write_text("".join(rows))
    done = moderate("select", "-r", "0.5", "flat", "--labels", "labels.csv")
    assert done.stderr == (
        "moderate: error: labels.csv: flat has no classes to correct; pass labels.csv as DATA, with"
        " --images flat\n"
    )
    done = moderate("select", "-r", "0.4", "labels.csv", "--images", "flat")
    assert (done.status, len(done.stdout.splitlines())) == (0, 2)


def test_a_report_shows_the_corrected_classes(data, corrected):
    page = report("train", "page.html", labels=corrected, ratio=1, backbone="pixels")
    assert [(one.name, one.images) for one in page.classes] == [("cat", 4), ("dog", 2), ("owl", 1)]


def test_odd_cells_beside_a_corrected_class_survive(data, corrected):
    odd = {path: f"é\r{path}" for path in PATHS}
    rows = [f'{path},{path[:3]},"{odd[path]}"\n' for path in PATHS]
    (data / "list.csv").write_text("".join(["path,class,note\n", *rows]), newline="")
    rows = [{"path": path, "class": path[:3], "note": "\ud800é"} for path in PATHS]
    (data / "list.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    for suffix in (".csv", ".jsonl"):
        selection = select(data / f"list{suffix}", ratio=1, labels=corrected, backbone="pixels")
        kept = data.parent / f"kept{suffix}"
        write_index(kept, selection.scores, selection, dataset=selection.dataset)
        if suffix == ".csv":
            with kept.open(newline="") as file:
                assert {one["path"]: one["note"] for one in csv.DictReader(file)} == {
                    path: note for path, note in odd.items() if path != "dog/1.png"
                }
        else:
            found = [json.loads(line) for line in kept.read_text().splitlines()]
            assert {one["note"] for one in found} == {"\ud800é"}
            assert {one["path"]: one["class"] for one in found}["cat/4.png"] == "dog"


def test_a_second_file_of_corrections_is_refused(moderate):
    done = moderate("select", "train", "--labels", "a.csv", "--labels=b.csv")
    assert (done.status, done.stdout) == (2, "")
    assert "--labels is given more than once; join the files, and pass one" in done.stderr


def classes_by_path(dataset):
    classes = [dataset.classes[label] for label in dataset.labels.tolist()]
    return dict(zip(dataset.paths, classes, strict=True))


@pytest.mark.parametrize("saved", [False, True], ids=["parquet", "saved"])
def test_the_rows_of_tables_have_the_corrected_class_in_a_copy(data, monkeypatch, saved):
    """All else in a row stays as it is."""
    monkeypatch.chdir(data.parent)
    table = table_of(rows_of(data), id=list(range(8)))
    (save if saved else write_shards)(data.parent / "hub", table, 2)
    kind = "data" if saved else "train"
    path = "{}-0000{}-of-00002.{}#{}"
    moved, gone = (
        path.format(kind, shard, "arrow" if saved else "parquet", row)
        for shard, row in ((1, 0), (0, 1))
    )
    (data.parent / "fixed.csv").write_text(f"path,label\n{moved},owl\n{gone},\n")
    selection = select("hub", ratio=1, labels="fixed.csv", backbone="pixels")
    export("hub", selection, "copy")
    own, copied = classes_by_path(scan("hub")), scan("copy")
    assert (own.pop(gone), own[moved]) == ("cat", "cat")
    classes = [name for path, name in own.items() if path != moved]
    classes.insert(list(own).index(moved), "owl")
    assert list(classes_by_path(copied).values()) == classes
    if saved:
        found = read_saved(data.parent / "copy")
        states = [json.loads((data.parent / one / "state.json").read_text()) for one in
                  ("hub", "copy")]  # fmt: skip
        assert states[0]["_fingerprint"] != states[1]["_fingerprint"]
    else:
        found = pyarrow.concat_tables(
            parquet.read_table(file) for file in sorted((data.parent / "copy").glob("*.parquet"))
        )
    kept = table.take([0, *range(2, 8)])
    assert found.schema.equals(table.schema, check_metadata=True)
    assert found.drop_columns("label").to_pydict() == kept.drop_columns("label").to_pydict()
    assert found.column("label").to_pylist() == [0, 0, 0, 2, 1, 1, 2]


def tar_of(path, samples):
    files = {
        f"{key}.{extension}": content
        for key, own in samples.items()
        for extension, content in own.items()
    }
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_700_000_000
            tar.addfile(member, io.BytesIO(content))


def contents(path):
    with tarfile.open(path) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}


SAMPLES = {
    "a": {"png": 0, "cls": b"cat\n", "txt": b"cat"},
    "b": {"png": 51, "CLS": b"\xef\xbb\xbfcat\r\n", "json": b'{"cls": "cat", "width": 5}'},
    "c": {"png": 102, "json": b'{"by": "\xc3\xa9", "label": "dog", "class": "dog"}'},
    "d": {"png": 153, "json": b"not JSON", "cls": b"dog"},
    "e": {"png": 204, "cls": b"owl"},
}


def test_samples_of_tar_files_have_the_corrected_class_in_a_copy(tmp_path, monkeypatch):
    """All other files stay as they are."""
    monkeypatch.chdir(tmp_path)
    samples = {key: own | {"png": painted(".png", own["png"])} for key, own in SAMPLES.items()}
    tar_of("all.tar", samples)
    Path("fixed.csv").write_text("path,label\na,dog\nb,dog\nc,owl\nd,cat\n")
    selection = select("all.tar", ratio=1, labels="fixed.csv", backbone="pixels")
    export("all.tar", selection, "copy")
    assert classes_by_path(scan("copy/all.tar")) == {
        "a": "dog", "b": "dog", "c": "owl", "d": "cat", "e": "owl",
    }  # fmt: skip
    before, after = contents("all.tar"), contents("copy/all.tar")
    assert list(after) == list(before)
    assert {name: after[name] for name in after if after[name] != before[name]} == {
        "a.cls": b"dog\n",
        "b.CLS": b"\xef\xbb\xbfdog\r\n",
        "b.json": b'{"cls": "dog", "width": 5}',
        "c.json": b'{"by": "\\u00e9", "label": "owl", "class": "owl"}',
        "d.cls": b"cat",
    }
    with tarfile.open("copy/all.tar") as tar:
        assert {one.mtime for one in tar.getmembers()} == {1_700_000_000}


def test_the_number_of_a_class_in_json_stays_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {"a": b'{"cls": 3.0}', "b": b'{"cls": 12, "label": "12"}', "c": b'{"label": "3"}'}
    tar_of("all.tar", {key: {"png": painted(".png", 5), "json": one} for key, one in rows.items()})
    Path("fixed.csv").write_text("path,label\na,12\nb,3\nc,12\n")
    export("all.tar", select("all.tar", ratio=1, labels="fixed.csv", backbone="pixels"), "copy")
    assert [one for name, one in contents("copy/all.tar").items() if name.endswith("json")] == [
        b'{"cls": 12}', b'{"cls": 3, "label": "3"}', b'{"label": "12"}'
    ]  # fmt: skip


def test_a_class_with_two_names_in_a_sample_is_not_half_corrected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {"a": (b"0", b'{"label": "cat"}'), "b": (b"1", b'{"label": "dog"}')}
    tar_of("all.tar", {
        key: {"png": painted(".png", 5), "cls": one, "json": other}
        for key, (one, other) in rows.items()
    })  # fmt: skip
    Path("fixed.csv").write_text("path,label\nb,0\n")
    selection = select("all.tar", ratio=1, labels="fixed.csv", backbone="pixels")
    with pytest.raises(DatasetError) as caught:
        export("all.tar", selection, "copy")
    assert str(caught.value) == (
        f"{tmp_path}/all.tar: the files of b.json name its class in two ways, 1 and dog, so the"
        " corrected one cannot be written to a copy; -o lists the kept samples"
    )
    assert not Path("copy").exists()


@pytest.mark.parametrize("listed", [False, True])
def test_classes_in_names_of_files_are_not_corrected_in_a_copy(tmp_path, monkeypatch, listed):
    monkeypatch.chdir(tmp_path)
    for name in ("cat-0", "cat-1", "dog-0", "dog-1"):
        paint(tmp_path / "flat" / f"{name}.png", 5)
    names = sorted(path.name for path in (tmp_path / "flat").iterdir())
    Path("flat/list.csv").write_text("".join(f"{name}\n" for name in ["path,n", *names]).replace(
        ".png", ".png,1"))  # fmt: skip
    Path("fixed.csv").write_text("path,label\ncat-0.png,dog\n")
    images = scan("flat/list.csv" if listed else "flat", label_pattern="cat|dog")
    selection = select(images, ratio=1, labels="fixed.csv", backbone="pixels")
    with pytest.raises(OutputError, match=r"^fixed\.csv: copies keep their file names, which have"):
        export(images, selection, "copy")
    assert not Path("copy").exists()
    if listed:
        with pytest.raises(DatasetError, match=r"list\.csv: has no column for corrected labels"):
            write_index("k.csv", selection.scores, selection, dataset=selection.dataset)
        write_index("k.json", selection.scores, selection, dataset=selection.dataset)


def test_names_that_end_with_spaces_come_back(data, monkeypatch, moderate):
    monkeypatch.chdir(data.parent)
    (data / "cat").rename(data / "cat ")
    (data / "dog").rename(data / " dog")
    assert moderate("suspects", "train", "--fraction", "0.99", "-o", "s.csv").status == 0
    done = moderate("select", "train", "-r", "1", "--labels", "s.csv")
    assert (done.status, "all labels are those of DATA" in done.stderr) == (0, True)
    Path("fixed.csv").write_text("path,label\n dog/0.png,cat \n")
    done = moderate("select", "train", "-r", "1", "--labels", "fixed.csv")
    assert (done.status, "corrected 1 label" in done.stderr) == (0, True)
    paint(data / "cat" / "0.png", 5)
    done = moderate("select", "train", "-r", "1", "--labels", "fixed.csv")
    assert (done.status, "differ only by spaces at the ends" in done.stderr) == (1, True)
