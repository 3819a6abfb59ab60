"""Help is as it was last reviewed, and fits two screens."""

import pytest
from help import FOLDER, helps

FOUND = helps()
TWO_SCREENS = 100  # lines, at 80 columns


def test_each_command_has_a_file_and_each_file_a_command():
    assert set(FOLDER.glob("*.txt")) == FOUND.keys()


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_help_is_as_reviewed(path):
    assert FOUND[path] == path.read_text(), "python -m tests.help writes it"


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_help_fits_two_screens(path):
    assert len(FOUND[path].splitlines()) <= TWO_SCREENS


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_help_fits_the_width_of_a_terminal(path):
    assert max(map(len, FOUND[path].splitlines())) <= 80
