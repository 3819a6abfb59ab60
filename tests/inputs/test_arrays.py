import errno
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from moderate_cli.errors import ArrayError
from moderate_cli.inputs import arrays
from moderate_cli.inputs.arrays import (
    check_finite,
    read_features,
    read_labels,
    read_scores,
    readable_rows,
)


@pytest.mark.parametrize(
    ("read", "array", "message"),
    [
        (read_scores, np.zeros((2, 1)), "is float64 (2, 1); a vector of numbers (n,) is needed"),
        (read_scores, np.array([True]), "is bool (1,); a vector of numbers (n,) is needed"),
        (read_scores, np.zeros(0), "is empty; a vector of numbers (n,) is needed"),
        (
            lambda path: read_labels(path, 2),
            np.zeros(2),
            "is float64 (2,); an integer vector (n,) is needed",
        ),
        (
            lambda path: read_labels(path, 2),
            np.zeros((2, 1), dtype=int),
            "is int64 (2, 1); an integer vector (n,) is needed",
        ),
        (
            lambda path: read_labels(path, 2),
            np.array([3, 2**63], dtype=np.uint64),
            "9223372036854775808 is larger than int64 can be; number the classes from 0",
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


def test_the_largest_label_of_int64_is_kept(tmp_path):
    path = str(tmp_path / "a.npy")
    np.save(path, np.array([3, 2**63 - 1], dtype=np.uint64))
    assert read_labels(path, 2).tolist() == [3, 2**63 - 1]


@pytest.mark.parametrize("row", [0, 4095, 4096, 8191, 9999])
def test_the_row_that_is_not_finite_is_named_in_every_block(tmp_path, row):
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
        (np.zeros(3), "is float64 (3,); a float matrix (n, d) is needed"),
        (np.zeros((2, 2), int), "is int64 (2, 2); a float matrix (n, d) is needed"),
        (np.zeros((0, 2)), "is empty; a float matrix (n, d) is needed"),
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
        assert str(caught.value).startswith(f"{path}: is not a .npy array (")
    with pytest.raises(ArrayError) as caught:
        read_scores("nowhere.npy")
    assert str(caught.value) == "nowhere.npy: No such file or directory; pass a .npy file"


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

    monkeypatch.setattr(arrays, "read_array", full)
    with pytest.raises(ArrayError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: cannot be read (Too many open files); allow more open files, as ulimit -n does"
    )


def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f.npy")
    with pytest.raises(ArrayError) as caught:
        read_scores(str(tmp_path / "f.npy"))
    assert str(caught.value) == (f"{tmp_path}/f.npy: is not a regular file; pass a .npy file")


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
    assert str(caught.value) == f"{path}: contains only NaN; none of its images could be read"
    np.save(path, np.array([1, 2], dtype=">i2"))
    assert read_scores(path).tolist() == [1, 2]
    assert read_labels(path, 2).tolist() == [1, 2]
    with pytest.raises(ArrayError) as caught:
        read_labels(path, 3)
    assert str(caught.value) == f"{path}: 2 labels for 3 images; give one per row"


def test_features_on_disk_do_not_stay_in_memory(tmp_path):
    features = np.ones((4096, 4096), dtype=np.float32)  # 64 MB
    np.save(tmp_path / "f.npy", features)
    mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
    mapped._mmap.madvise(mmap.MADV_DONTNEED)
    before = held()
    readable = readable_rows("f.npy", mapped)
    check_finite("f.npy", mapped, readable)
    assert held() - before < 1 << 20


def held():
    """Bytes of mapped files in the memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssFile"))
