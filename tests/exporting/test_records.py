import csv
import errno
import io
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli import scoring
from moderate_cli.errors import ArgumentError, ArrayError, OutputError
from moderate_cli.exporting import records
from moderate_cli.exporting.records import (
    INDEX_FORMATS,
    SCORE_FORMATS,
    TABLE_FORMATS,
    Table,
    check_output,
    formatted,
    read_features,
    read_labels,
    read_scores,
    readable_rows,
    table_bytes,
    write_index,
    write_scores,
    write_table,
)
from moderate_cli.scoring import Scores

SCORES = Scores(
    np.array([0.5, np.nan, 1.25, 1 / 3]),
    np.array([0, 0, 1, 1]),
    ("cat", "dog"),
    ("cat/1.jpg", "cat/2.jpg", "dog/a,b.jpg", "dog/\udcff.jpg"),
)
KEPT = np.array([True, False, False, True])


CELLS = st.binary().map(lambda b: b.replace(b"\0", b"_").decode(errors="surrogateescape"))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS)))
def test_tables_of_any_bytes_survive(rows):
    table = Table(("one", "two", "three"), rows)
    files = {suffix: io.BytesIO() for suffix in (".csv", ".json")}
    for suffix, file in files.items():
        TABLE_FORMATS[suffix](file, table)
    text = files[".csv"].getvalue().decode(errors="surrogateescape")
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == [list(table.header), *map(list, rows)]
    found = json.loads(files[".json"].getvalue())
    assert found == [dict(zip(table.header, row, strict=True)) for row in rows]


def test_index_formats(tmp_path):
    for suffix in ("txt", "csv", "json", "npy"):
        write_index(tmp_path / f"kept.{suffix}", SCORES, KEPT)
    write_index(tmp_path / "nul.txt", SCORES, KEPT, nul=True)
    assert (tmp_path / "kept.txt").read_bytes() == b"cat/1.jpg\ndog/\xff.jpg\n"
    assert (tmp_path / "nul.txt").read_bytes() == b"cat/1.jpg\0dog/\xff.jpg\0"
    assert (tmp_path / "kept.csv").read_bytes() == (
        b"path,class,score\ncat/1.jpg,cat,0.5\ndog/\xff.jpg,dog,0.333333333\n"
    )
    assert json.loads((tmp_path / "kept.json").read_bytes()) == {
        "kept": 2,
        "of": 4,
        "images": [
            {"row": 0, "path": "cat/1.jpg", "class": "cat", "score": 0.5},
            {"row": 3, "path": "dog/\udcff.jpg", "class": "dog", "score": 1 / 3},
        ],
    }
    for kept in (KEPT, ~KEPT & False):
        write_index(tmp_path / "kept.json", SCORES, kept)
        text = (tmp_path / "kept.json").read_text()
        assert text == json.dumps(json.loads(text), indent=1) + "\n"
    rows = np.load(tmp_path / "kept.npy")
    assert rows.dtype == np.int64
    assert rows.tolist() == [0, 3]


def test_score_formats(tmp_path):
    for suffix in ("txt", "csv", "npy"):
        write_scores(tmp_path / f"s.{suffix}", SCORES)
    assert (tmp_path / "s.txt").read_bytes() == (
        b"0.5\tcat/1.jpg\n1.25\tdog/a,b.jpg\n0.333333333\tdog/\xff.jpg\n"
    )
    with (tmp_path / "s.csv").open(errors="surrogateescape", newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "class", "score"],
            ["cat/1.jpg", "cat", "0.5"],
            ["dog/a,b.jpg", "dog", "1.25"],
            ["dog/\udcff.jpg", "dog", "0.333333333"],
        ]
    values = np.load(tmp_path / "s.npy")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, SCORES.values.astype(np.float32))


def test_row_numbers_stand_for_paths_of_plain_arrays(tmp_path):
    write_index(tmp_path / "kept.txt", Scores(SCORES.values, SCORES.labels), KEPT)
    write_index(tmp_path / "kept.csv", Scores(SCORES.values, SCORES.labels), KEPT)
    assert (tmp_path / "kept.txt").read_text() == "0\n3\n"
    assert (tmp_path / "kept.csv").read_text() == "path,class,score\n0,0,0.5\n3,1,0.333333333\n"


def test_an_unknown_suffix_is_refused():
    with pytest.raises(ArgumentError) as caught:
        write_index("kept.pickle", SCORES, KEPT)
    assert str(caught.value) == ("kept.pickle: unknown suffix; use one of .txt, .csv, .json, .npy")


def test_a_file_in_no_folder_is_refused(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_index(tmp_path / "nowhere" / "kept.txt", SCORES, KEPT)
    assert (
        str(caught.value) == f"{tmp_path}/nowhere/kept.txt: there is no folder {tmp_path}/nowhere"
    )


def test_an_output_is_checked_before_there_is_anything_to_write(tmp_path):
    assert check_output(tmp_path / "a.CSV", INDEX_FORMATS) == INDEX_FORMATS[".csv"]
    for name, error in (("nowhere/a.csv", OutputError), ("a.xml", ArgumentError)):
        with pytest.raises(error):
            check_output(tmp_path / name, INDEX_FORMATS)
    assert list(INDEX_FORMATS) == [".txt", ".csv", ".json", ".npy"]
    assert list(SCORE_FORMATS) == [".txt", ".csv", ".npy"]


def test_images_are_written_alike_whatever_is_written_at_a_time(tmp_path, monkeypatch):
    every = np.ones(4, dtype=bool)

    def written():
        for suffix in ("txt", "csv", "json", "npy"):
            write_index(tmp_path / f"k.{suffix}", SCORES, every)
        for suffix in ("txt", "csv", "npy"):
            write_scores(tmp_path / f"s.{suffix}", SCORES)
        return {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}

    at_once = written()
    monkeypatch.setattr(records, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 2)
    assert written() == at_once
    assert at_once["s.txt"].count(b"\n") == 3


def test_a_name_with_a_newline_is_no_line_of_scores(tmp_path):
    odd = Scores(SCORES.values, SCORES.labels, SCORES.classes, ("a", "b", "c\nd", "e"))
    (tmp_path / "s.txt").write_text("old")
    with pytest.raises(OutputError) as caught:
        write_scores(tmp_path / "s.txt", odd)
    assert str(caught.value) == "c\\nd: holds a newline; -o FILE.csv quotes it"
    assert (tmp_path / "s.txt").read_text() == "old"
    write_scores(tmp_path / "s.csv", odd)
    assert (tmp_path / "s.csv").read_text() == (
        'path,class,score\na,cat,0.5\n"c\nd",dog,1.25\ne,dog,0.333333333\n'
    )


TABLE = Table(("path", "share", "images"), [("a,b.png", 0.5, 3), ("b.png", None, 4)])


def test_table_formats(tmp_path):
    expected = {
        ".txt": b"a,b.png\t0.500000\t3\nb.png\t\t4\n",
        ".csv": b'path,share,images\n"a,b.png",0.500000,3\nb.png,,4\n',
        ".json": b"""[
 {
  "path": "a,b.png",
  "share": 0.5,
  "images": 3
 },
 {
  "path": "b.png",
  "share": null,
  "images": 4
 }
]
""",
    }
    assert list(TABLE_FORMATS) == list(expected)
    for suffix, content in expected.items():
        write_table(tmp_path / f"t{suffix}", TABLE)
        assert (tmp_path / f"t{suffix}").read_bytes() == content
        assert formatted(TABLE, suffix) == content


@pytest.mark.parametrize(("odd", "what"), [("a\nb", "newline"), ("a\tb", "tab")])
def test_what_would_break_a_line_of_a_table_is_refused(odd, what):
    with pytest.raises(OutputError) as caught:
        table_bytes(Table(("path", "class"), [("a", "b"), ("c", odd)]))
    shown = odd.encode("unicode_escape").decode()
    assert str(caught.value) == f"{shown}: holds a {what}; -o FILE.csv quotes it"


@pytest.mark.parametrize("suffix", sorted(TABLE_FORMATS.keys() - {".txt"}))
def test_a_value_with_a_return_in_it_comes_back(suffix):
    table = Table(("one", "two"), [("a\rb", "c"), ("d", "e\r\n")])
    text = formatted(table, suffix).decode()
    if suffix == ".csv":
        assert text == 'one,two\n"a\rb","c"\n"d","e\r\n"\n'
    else:
        assert [list(row.values()) for row in json.loads(text)] == [["a\rb", "c"], ["d", "e\r\n"]]


@pytest.mark.parametrize(
    ("read", "array", "message"),
    [
        (read_scores, np.zeros((2, 1)), "holds float64 (2, 1); a vector of numbers is wanted"),
        (read_scores, np.array([True]), "holds bool (1,); a vector of numbers is wanted"),
        (read_scores, np.zeros(0), "is empty; a vector of numbers is wanted"),
        (
            lambda path: read_labels(path, 2),
            np.zeros(2),
            "holds float64 (2,); a vector of integers is wanted",
        ),
        (
            lambda path: read_labels(path, 2),
            np.zeros((2, 1), dtype=int),
            "holds int64 (2, 1); a vector of integers is wanted",
        ),
    ],
)
def test_scores_and_labels_of_another_kind_are_refused(tmp_path, read, array, message):
    path = str(tmp_path / "a.npy")
    np.save(path, array)
    with pytest.raises(ArrayError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, ">f4", np.int64])
def test_scores_and_labels_come_in_one_type_whatever_the_file_has(tmp_path, dtype):
    path = str(tmp_path / "a.npy")
    np.save(path, np.array([3, 0, 7], dtype=dtype))
    assert (read_scores(path).dtype, read_scores(path).tolist()) == (np.float64, [3, 0, 7])
    if np.dtype(dtype).kind in "iu":
        labels = read_labels(path, 3)
        assert (labels.dtype, labels.tolist()) == (np.int64, [3, 0, 7])


@pytest.mark.parametrize("row", [0, 4095, 4096, 8191, 9999])
def test_the_row_that_is_not_finite_is_named_wherever_it_stands(tmp_path, row):
    path = str(tmp_path / "s.npy")
    values = np.zeros(10_000)
    values[row] = -np.inf
    np.save(path, values)
    with pytest.raises(ArrayError) as caught:
        read_scores(path)
    assert str(caught.value) == f"{path}: row {row} is not finite; leave such rows out"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "holds float64 (3,); a float matrix (images, features) is wanted"),
        (np.zeros((2, 2), int), "holds int64 (2, 2); a float matrix (images, features) is wanted"),
        (np.zeros((0, 2)), "is empty; a float matrix (images, features) is wanted"),
    ],
)
def test_features_of_another_kind_are_refused(tmp_path, array, message):
    path = str(tmp_path / "f.npy")
    np.save(path, array)
    with pytest.raises(ArrayError) as caught:
        read_features(path)
    assert str(caught.value) == f"{path}: {message}"


def test_arrays_that_could_run_code_or_are_cut_are_refused(tmp_path):
    path = str(tmp_path / "f.npy")
    np.save(path, np.array([object()]), allow_pickle=True)
    for content in ((tmp_path / "f.npy").read_bytes(), b"", b"\x93NUMPY", b"text"):
        (tmp_path / "f.npy").write_bytes(content)
        with pytest.raises(ArrayError) as caught:
            read_scores(path)
        assert str(caught.value).startswith(f"{path}: is no .npy array (")
    with pytest.raises(ArrayError) as caught:
        read_scores("nowhere.npy")
    assert str(caught.value) == "nowhere.npy: No such file or directory; name a .npy file"


def test_rows_of_nothing_but_nan_are_of_images_that_cannot_be_read():
    nan = np.nan
    matrix = np.array([[1, nan], [nan, nan], [nan, 2], [3, 4]], dtype=np.float16)
    assert readable_rows("f.npy", matrix).tolist() == [True, False, True, True]
    assert readable_rows("f.npy", np.zeros((2, 0))).tolist() == [True, True]
    many = np.full((9000, 3), nan)
    many[[0, 8999]] = 1
    assert np.flatnonzero(readable_rows("f.npy", many)).tolist() == [0, 8999]


@pytest.mark.parametrize("read", [read_features, read_scores])
def test_what_the_system_does_not_read_now_is_not_called_a_wrong_file(tmp_path, monkeypatch, read):
    path = str(tmp_path / "f.npy")

    def full(*_args, **_options):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    monkeypatch.setattr(records, "read_array", full)
    with pytest.raises(ArrayError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: cannot be read (Too many open files); allow more open files, as ulimit -n does"
    )


def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f.npy")
    with pytest.raises(ArrayError) as caught:
        read_scores(str(tmp_path / "f.npy"))
    assert str(caught.value) == (f"{tmp_path}/f.npy: is not a regular file; name a .npy file")


def test_scores_and_labels_are_checked(tmp_path):
    path = str(tmp_path / "s.npy")
    np.save(path, np.array([1.0, np.inf, np.nan]))
    with pytest.raises(ArrayError) as caught:
        read_scores(path)
    assert str(caught.value) == f"{path}: row 1 is not finite; leave such rows out"
    np.save(path, np.array([1.0, np.nan], dtype=np.float32))
    np.testing.assert_array_equal(read_scores(path), [1.0, np.nan])
    np.save(path, np.array([np.nan, np.nan]))
    with pytest.raises(ArrayError) as caught:
        read_scores(path)
    assert str(caught.value) == f"{path}: holds nothing but NaN; none of its images could be read"
    np.save(path, np.array([1, 2], dtype=">i2"))
    assert read_scores(path).tolist() == [1, 2]
    assert read_labels(path, 2).tolist() == [1, 2]
    with pytest.raises(ArrayError) as caught:
        read_labels(path, 3)
    assert str(caught.value) == f"{path}: 2 labels for 3 images; give one per row"


def test_a_picture_is_not_replaced_by_what_is_none(data, tmp_path):
    image = data / "cat" / "0.png"
    before = image.read_bytes()
    (tmp_path / "k.txt").symlink_to(image)
    scores = Scores(np.array([0.5]), np.array([0]))
    for write in (
        lambda path: write_scores(path, scores),
        lambda path: write_index(path, scores, np.array([True])),
        lambda path: write_table(path, Table(("a",), [("b",)])),
    ):
        with pytest.raises(OutputError) as caught:
            write(tmp_path / "k.txt")
        assert str(caught.value) == f"{tmp_path}/k.txt: is a picture (PNG); choose another file"
    assert image.read_bytes() == before
