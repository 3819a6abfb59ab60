"""Folders in which the sessions of pages run."""

import pytest

from tests.docs.sessions import Shell


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder in which the README's session makes the demo dataset."""
    return Shell(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def shell(demo, tmp_path):
    """A folder of its own, with the demo dataset in it."""
    shell = Shell(tmp_path)
    shell.take_demo(demo)
    return shell
