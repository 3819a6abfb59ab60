import pytest

from tests.marked import fill, filled, parts, put_row

PAGE = """# Animals
<!-- table: cats -->
| cat | age | legs |
| --- | --- | --- |
| Tom | 3 | 4 |
| Kit | 5 | 4 |
<!-- end -->
Between.
<!-- table: no dogs -->
<!-- end -->
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(PAGE)
    return path


def test_parts_are_told_by_their_names():
    assert parts(PAGE) == {
        "cats": "| cat | age | legs |\n| --- | --- | --- |\n| Tom | 3 | 4 |\n| Kit | 5 | 4 |\n",
        "no dogs": "",
    }


def test_only_parts_are_filled():
    assert filled("a\n<!-- table: b -->\nc\n<!-- end -->\nd", str.upper) == (
        "a\n<!-- table: b -->\nB<!-- end -->\nd"
    )
    assert filled(PAGE, lambda name: parts(PAGE)[name]) == PAGE


def test_one_part_is_filled_and_the_others_stay(page):
    fill(page, "no dogs", "none\n")
    assert page.read_text() == PAGE.replace("dogs -->\n", "dogs -->\nnone\n")
    with pytest.raises(AssertionError, match="has no part 'birds'"):
        fill(page, "birds", "")


def test_a_row_takes_the_place_of_the_one_that_it_names(page):
    put_row(page, "cats", "| Tom | 4 | 3 |")
    assert page.read_text() == PAGE.replace("| Tom | 3 | 4 |", "| Tom | 4 | 3 |")


def test_a_row_that_none_is_named_like_comes_last(page):
    put_row(page, "cats", "| Kit | 6 | 4 |", keys=2)
    assert page.read_text() == PAGE.replace(
        "| Kit | 5 | 4 |\n", "| Kit | 5 | 4 |\n| Kit | 6 | 4 |\n"
    )
