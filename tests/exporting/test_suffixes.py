import numpy as np
import pytest
from exported import KEPT, SCORES

from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.exporting.index import INDEX_FORMATS, write_index
from moderate_cli.exporting.scores import SCORE_FORMATS, write_scores
from moderate_cli.exporting.suffixes import check_output
from moderate_cli.exporting.tables import Table, write_table
from moderate_cli.scoring import Scores


def test_an_unknown_suffix_is_refused():
    with pytest.raises(ArgumentError) as caught:
        write_index("kept.pickle", SCORES, KEPT)
    assert str(caught.value) == ("kept.pickle: unknown suffix; use one of .txt, .csv, .json, .npy")


def test_a_file_in_no_folder_is_refused(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_index(tmp_path / "nowhere" / "kept.txt", SCORES, KEPT)
    assert (
        str(caught.value) == f"{tmp_path}/nowhere/kept.txt: there is no folder {tmp_path}/nowhere;"
        " create it first"
    )


def test_an_output_is_checked_before_there_is_anything_to_write(tmp_path):
    assert check_output(tmp_path / "a.CSV", INDEX_FORMATS) == INDEX_FORMATS[".csv"]
    for name, error in (("nowhere/a.csv", OutputError), ("a.xml", ArgumentError)):
        with pytest.raises(error):
            check_output(tmp_path / name, INDEX_FORMATS)
    assert list(INDEX_FORMATS) == [".txt", ".csv", ".json", ".npy"]
    assert list(SCORE_FORMATS) == [".txt", ".csv", ".npy"]


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
