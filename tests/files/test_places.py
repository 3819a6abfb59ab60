import os

import pytest

from moderate_cli.files import places
from moderate_cli.files.places import contains, identity, is_mount, lineage, mount_below, place


@pytest.fixture
def tree(tmp_path):
    """A folder `here` with a link `l` to `else/sub`, and a folder `data` in both."""
    for name in ("here/data", "else/sub", "else/data"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "here" / "l").symlink_to("../else/sub")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data", "here/data"),
        ("data/", "here/data"),
        ("./data", "here/data"),
        (".", "here"),
        ("..", ""),
        ("l", "here/l"),
        ("l/", "here/l"),
        ("l/.", "else/sub"),
        ("l/..", "else"),
        ("l/../data", "else/data"),
        ("l/../data/..", "else"),
        ("new", "here/new"),
        ("typo/../data", "here/data"),
    ],
)
def test_a_path_leads_where_the_kernel_goes(tree, monkeypatch, path, expected):
    monkeypatch.chdir(tree / "here")
    assert place(path) == tree / expected
    if os.path.exists(path):
        assert os.path.samefile(path, place(path))


def test_one_folder_has_one_identity(tree):
    assert identity(tree / "here" / "l") == identity(tree / "else" / "sub") is not None
    assert identity(tree / "else") != identity(tree / "here")
    assert identity(tree / "nowhere") is None
    assert identity("\0") is None


def test_a_lineage_starts_at_the_first_folder_that_exists(tree):
    expected = [identity(tree / "else"), identity(tree), *lineage(tree.parent)]
    assert list(lineage(tree / "here" / "l" / ".." / "new")) == expected


def test_a_folder_contains_its_files_by_any_path(tree):
    assert contains(tree / "else", tree / "here" / "l" / "new" / "deep")
    assert contains(tree / "else", tree / "else")
    assert contains(tree / "new", tree / "new" / "deep")
    assert not contains(tree / "else" / "sub", tree / "else")
    assert not contains(tree / "els", tree / "else")


def test_mounts_are_read_from_the_kernel(tree, monkeypatch):
    (tree / "with space").mkdir()
    (tree / "table").write_text(
        f"36 35 98:0 / {tree}/with\\040space rw - ext4 /dev/a rw\n"
        f"37 35 98:0 / {tree}/else/sub rw - ext4 /dev/a rw\n"
    )
    monkeypatch.setattr(places, "MOUNTS", os.fspath(tree / "table"))
    assert is_mount(tree / "with space")
    assert is_mount(tree / "here" / "l")
    assert not is_mount(tree / "else")
    assert mount_below(tree / "else") == tree / "else" / "sub"
    assert mount_below(tree / "else" / "sub") is None
    assert is_mount("/")
    monkeypatch.setattr(places, "MOUNTS", os.fspath(tree / "none"))
    assert mount_below(tree) is None
