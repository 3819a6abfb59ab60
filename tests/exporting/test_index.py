import json

import numpy as np
from exported import KEPT, SCORES

from moderate_cli import scoring
from moderate_cli.exporting import index
from moderate_cli.exporting.index import write_index
from moderate_cli.scoring import Scores


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


def test_row_numbers_stand_for_paths_of_plain_arrays(tmp_path):
    write_index(tmp_path / "kept.txt", Scores(SCORES.values, SCORES.labels), KEPT)
    write_index(tmp_path / "kept.csv", Scores(SCORES.values, SCORES.labels), KEPT)
    assert (tmp_path / "kept.txt").read_text() == "0\n3\n"
    assert (tmp_path / "kept.csv").read_text() == "path,class,score\n0,0,0.5\n3,1,0.333333333\n"


def test_an_index_is_the_same_whatever_is_written_at_a_time(tmp_path, monkeypatch):
    every = np.ones(4, dtype=bool)

    def written():
        for suffix in ("txt", "csv", "json", "npy"):
            write_index(tmp_path / f"k.{suffix}", SCORES, every)
        return {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}

    at_once = written()
    monkeypatch.setattr(index, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 2)
    assert written() == at_once
    assert at_once["k.txt"].count(b"\n") == 4
