import csv
import errno
import io
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli import records
from moderate_cli.errors import ArgumentError, ArrayError
from moderate_cli.records import (
    TABLE_FORMATS,
    Table,
    read_features,
    read_labels,
    read_scores,
    readable_rows,
    write_index,
    write_scores,
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
    assert str(caught.value) == (
        f"{tmp_path}/f.npy: is no .npy array (is not a regular file); numpy.save makes one"
    )


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
