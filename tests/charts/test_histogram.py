import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.charts.histogram import EIGHTHS, bars, histogram

finite = st.floats(-1e12, 1e12)


def test_bins_lie_on_round_numbers():
    found = histogram(np.array([0.97, 2.4, 2.5, 3.1]), 6)
    assert found.edges.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    assert found.counts.tolist() == [1, 0, 0, 1, 1, 1]


@given(st.lists(finite, min_size=1, max_size=50), st.integers(2, 40))
def test_every_value_lies_in_one_of_so_many_bins(values, bins):
    found = histogram(np.array(values), bins)
    assert found.counts.sum() == len(values)
    assert 1 <= len(found.counts) <= bins
    assert len(found.edges) == len(found.counts) + 1
    assert np.all(np.diff(found.edges) > 0)


def test_bars_are_drawn_to_an_eighth_of_a_character():
    values = np.repeat([0.0, 1.0, 2.0], [16, 6, 1])
    assert bars(values, 18, rows=4).splitlines() == [
        "from  images",
        "   0      16  ████",
        "   1       6  █▌",
        "   2       1  ▎",
        "23 images, median 0, half of them from 0 to 1",
    ]


@pytest.mark.parametrize("width", [1, 20, 80, 300])
def test_no_line_of_bars_is_wider_than_the_terminal(width, rng):
    lines = bars(rng.normal(size=10_000), width, blocks=EIGHTHS).splitlines()
    assert max(map(len, lines[1:-1])) <= max(width, 16)


def test_a_histogram_is_drawn_in_place_of_lines(embedded, moderate, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "40")
    done = moderate("score", embedded, "--histogram", "-o", tmp_path / "s.npy")
    assert (done.status, done.stderr) == (0, "")
    one, two = "█" * 13, "█" * 26
    assert done.stdout.splitlines() == [
        "from  images",
        f" 0.0       1  {one}",
        f" 0.5       1  {one}",
        " 1.0       0",
        " 1.5       0",
        f" 2.0       1  {one}",
        " 2.5       0",
        f" 3.0       1  {one}",
        *(f" {edge}       0" for edge in ("3.5", "4.0", "4.5", "5.0", "5.5")),
        f" 6.0       1  {one}",
        f" 6.5       2  {two}",
        " 7.0       0",
        f" 7.5       1  {one}",
        "8 images, median 4.711, half of them from 1.801 to 6.928",
    ]
    np.testing.assert_allclose(
        np.load(tmp_path / "s.npy"),
        [6.0969, 3.3256, 0.5543, 2.2171, 7.7596, 6.9282, 6.9282, 0],
        atol=1e-4,
    )


def test_a_histogram_is_of_plain_characters_where_the_encoding_has_no_blocks(embedded, shell):
    done = shell(f"PYTHONIOENCODING=ascii moderate score {embedded} --histogram")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert max(map(len, done.stdout.splitlines())) == 80
