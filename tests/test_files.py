import os

import pytest

from moderate_cli import files
from moderate_cli.errors import OutputError
from moderate_cli.files import new_file, new_folder


def write(path, content, fail=False):
    with new_file(path) as file:
        file.write(content)
        if fail:
            raise RuntimeError("in the middle")


def test_a_file_is_there_whole(tmp_path):
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write(tmp_path / "a", b"old")
    with pytest.raises(RuntimeError):
        write(tmp_path / "a", b"new", fail=True)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    write(tmp_path / "a", b"old")
    (tmp_path / "a").chmod(0o640)
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_link_goes_on_pointing_to_what_is_replaced(tmp_path):
    write(tmp_path / "a", b"old")
    (tmp_path / "link").symlink_to("a")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError) as caught:
        write(tmp_path / "nowhere" / "a", b"")
    assert str(caught.value) == f"{tmp_path}/nowhere/a: there is no folder {tmp_path}/nowhere"


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OutputError) as caught:
        write(tmp_path, b"")
    assert str(caught.value) == f"{tmp_path}: is a folder; name a file"


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    write(tmp_path / ("\u2603" * 85), b"new")
    assert len(os.fsencode(os.listdir(tmp_path)[0])) == 255


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / ".a.0123abcd.moderate-tmp").touch()
    (tmp_path / ".b.0123abcd.moderate-tmp").touch()
    write(tmp_path / "a", b"new")
    assert sorted(os.listdir(tmp_path)) == [".b.0123abcd.moderate-tmp", "a"]


def test_what_another_writer_is_writing_stays(tmp_path):
    with new_file(tmp_path / "a") as first:
        first.write(b"first")
        write(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"


def fill(path, content, replace=False, fail=False):
    with new_folder(path, replace=replace) as folder:
        (folder / content).touch()
        if fail:
            raise RuntimeError("in the middle")


def test_a_folder_is_there_whole(tmp_path):
    fill(tmp_path / "deep" / "a", "new")
    assert os.listdir(tmp_path / "deep" / "a") == ["new"]
    assert os.listdir(tmp_path / "deep") == ["a"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "a").mkdir()
    fill(tmp_path / "a", "new")
    assert os.listdir(tmp_path / "a") == ["new"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_only_if_told(tmp_path, monkeypatch, exchange):
    if not exchange:  # as on a system without renameat2
        monkeypatch.setattr(files.ctypes, "CDLL", lambda *_, **__: object())
    fill(tmp_path / "a", "old")
    with pytest.raises(OutputError) as caught:
        fill(tmp_path / "a", "new")
    assert str(caught.value) == f"{tmp_path}/a: exists; --force replaces it"
    with pytest.raises(RuntimeError):
        fill(tmp_path / "a", "new", replace=True, fail=True)
    assert os.listdir(tmp_path / "a") == ["old"]
    fill(tmp_path / "a", "new", replace=True)
    assert os.listdir(tmp_path / "a") == ["new"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_name_that_is_only_there_when_normalised_is_not_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(OutputError) as caught:
        fill(tmp_path / "typo" / ".." / "home", "new")
    assert str(caught.value) == f"{tmp_path}/typo/../home: exists; --force replaces it"


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(OutputError) as caught, new_folder(tmp_path / "a"):
        (tmp_path / "a" / "b").mkdir(parents=True)
    assert str(caught.value) == f"{tmp_path}/a: exists; --force replaces it"
    assert os.listdir(tmp_path) == ["a"]


def test_of_folders_made_at_once_the_first_stays(tmp_path):
    with files.first_folder(tmp_path / "set") as first, files.first_folder(tmp_path / "set") as two:
        (first / "a").touch()
        (two / "b").touch()
    assert os.listdir(tmp_path / "set") == ["b"]
    assert os.listdir(tmp_path) == ["set"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), files.first_folder(tmp_path / "set"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_only_one_has_a_claim_at_a_time(tmp_path):
    with files.claim(tmp_path / "claim") as first, files.claim(tmp_path / "claim") as second:
        assert (first, second) == (True, False)
    assert os.listdir(tmp_path) == []
    with files.claim(tmp_path / "claim") as again:
        assert again
