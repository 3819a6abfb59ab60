import csv

import numpy as np
import pytest
from exported import SCORES

from moderate_cli import scoring
from moderate_cli.errors import OutputError
from moderate_cli.exporting import index
from moderate_cli.exporting import scores as exporting_scores
from moderate_cli.exporting.scores import write_scores
from moderate_cli.scoring import Scores


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


def test_scores_are_the_same_whatever_is_written_at_a_time(tmp_path, monkeypatch):
    def written():
        for suffix in ("txt", "csv", "npy"):
            write_scores(tmp_path / f"s.{suffix}", SCORES)
        return {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}

    at_once = written()
    for module in (exporting_scores, index, scoring):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 2)
    assert written() == at_once
    assert at_once["s.txt"].count(b"\n") == 3
