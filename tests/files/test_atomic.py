import ctypes
import os
import shutil

import pytest

from moderate_cli.errors import OutputError
from moderate_cli.files import temporaries
from moderate_cli.files.atomic import first_folder, new_file, new_folder
from moderate_cli.files.temporaries import remove_stale


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


def test_a_link_keeps_pointing_to_the_replaced_file(tmp_path):
    write(tmp_path / "a", b"old")
    (tmp_path / "link").symlink_to("a")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError) as caught:
        write(tmp_path / "nowhere" / "a", b"")
    assert str(caught.value) == (
        f"{tmp_path}/nowhere/a: there is no folder {tmp_path}/nowhere; create it first"
    )


def test_a_folder_is_not_a_file(tmp_path):
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
    with new_folder(path, may_replace=(lambda _: None) if replace else None) as folder:
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
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    fill(tmp_path / "a", "old")
    with pytest.raises(OutputError) as caught:
        fill(tmp_path / "a", "new")
    assert str(caught.value) == f"{tmp_path}/a: exists; choose another folder"
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
    assert str(caught.value) == f"{tmp_path}/typo/../home: exists; choose another folder"


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(OutputError) as caught, new_folder(tmp_path / "a"):
        (tmp_path / "a" / "b").mkdir(parents=True)
    assert str(caught.value) == f"{tmp_path}/a: exists; choose another folder"
    assert os.listdir(tmp_path) == ["a"]


def test_of_folders_made_at_once_the_first_stays(tmp_path):
    with (
        first_folder(tmp_path / "set") as first,
        first_folder(tmp_path / "set") as two,
    ):
        (first / "a").touch()
        (two / "b").touch()
    assert os.listdir(tmp_path / "set") == ["b"]
    assert os.listdir(tmp_path) == ["set"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), first_folder(tmp_path / "set"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_put_aside_returns_if_its_place_is_empty(tmp_path):
    # The state after a kill between two renames, on a system that cannot exchange two folders.
    (tmp_path / ".a.0123abcd.moderate-old").mkdir()
    (tmp_path / ".a.0123abcd.moderate-old" / "old").touch()
    (tmp_path / ".a.4567abcd.moderate-tmp").mkdir()
    with pytest.raises(OutputError) as caught:
        fill(tmp_path / "a", "new")
    assert str(caught.value) == f"{tmp_path}/a: exists; choose another folder"
    assert os.listdir(tmp_path / "a") == ["old"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_was_put_aside_is_removed_if_another_took_its_place(tmp_path):
    (tmp_path / ".a.0123abcd.moderate-old").mkdir()
    (tmp_path / ".a.0123abcd.moderate-old" / "old").touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "new").touch()
    remove_stale(tmp_path / "a", folders=True)
    assert os.listdir(tmp_path / "a") == ["new"]
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("renames", [1, 2])
def test_no_kill_while_folders_are_exchanged_loses_one(tmp_path, monkeypatch, exchange, renames):
    if not exchange:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    fill(tmp_path / "a", "old")
    real, done = os.rename, []

    def rename(*args):
        done.append(args)
        if len(done) == renames:
            os._exit(9)
        real(*args)

    child = os.fork()
    if not child:
        monkeypatch.setattr(os, "rename", rename)
        fill(tmp_path / "a", "new", replace=True)
        os._exit(0)
    os.waitpid(child, 0)
    remove_stale(tmp_path / "a", folders=True)
    assert os.listdir(tmp_path) == ["a"]
    # With an exchange the new one is there before the first rename.
    assert os.listdir(tmp_path / "a") == ["new" if exchange else "old"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_check_that_fails_when_all_is_moved_undoes_it(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    fill(tmp_path / "a", "old")
    seen = []

    def check(folder):
        seen.append(folder)
        if len(seen) == 2:
            raise OutputError("something was added")

    with pytest.raises(OutputError), new_folder(tmp_path / "a", may_replace=check) as folder:
        (folder / "new").touch()
    assert [path.name == "a" for path in seen] == [True, False]
    assert os.listdir(tmp_path / "a") == ["old"]
    assert os.listdir(tmp_path) == ["a"]


def test_an_interruption_while_an_old_folder_is_removed_leaves_nothing_of_it(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    remove, interrupted = shutil.rmtree, []

    def interrupt(path, **options):
        if not interrupted:
            interrupted.append(path)
            raise KeyboardInterrupt
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupt)
    with (
        pytest.raises(KeyboardInterrupt),
        new_folder(tmp_path / "out", may_replace=lambda _: None) as folder,
    ):
        (folder / "new").touch()
    assert interrupted
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["new"]


def test_a_replaced_file_keeps_its_owner(tmp_path, monkeypatch):
    write(tmp_path / "a", b"old")
    given = []
    monkeypatch.setattr(os, "fchown", lambda _file, user, group: given.append((user, group)))
    write(tmp_path / "a", b"new")
    status = (tmp_path / "a").stat()
    assert given == [(-1, status.st_gid), (status.st_uid, -1)]


def test_a_file_that_may_not_be_given_away_is_written_all_the_same(tmp_path, monkeypatch):
    write(tmp_path / "a", b"old")

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_writer_whose_temporary_was_taken_for_stale_makes_another(tmp_path, monkeypatch):
    real, taken = os.mkdir, []

    def mkdir(path, *args, **named):
        real(path, *args, **named)
        if not taken and os.fspath(path).endswith(".moderate-tmp"):
            taken.append(path)
            os.rmdir(path)  # as another writer does before this one has the lock

    monkeypatch.setattr(os, "mkdir", mkdir)
    fill(tmp_path / "a", "new")
    assert len(taken) == 1
    assert os.listdir(tmp_path / "a") == ["new"]


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        fill(tmp_path / "file" / "a" / "b", "new")
    assert str(caught.value) == (
        f"{tmp_path}/file/a/b: {tmp_path}/file is not a folder; choose another place"
    )


@pytest.mark.parametrize("make", ["_open_new_file", "_open_new_folder"])
def test_an_interruption_as_soon_as_a_temporary_is_made_leaves_nothing(tmp_path, monkeypatch, make):
    real = getattr(temporaries, make)

    def interrupted(path):
        os.close(real(path))
        raise KeyboardInterrupt

    monkeypatch.setattr(temporaries, make, interrupted)
    with pytest.raises(KeyboardInterrupt):
        (write if make == "_open_new_file" else fill)(tmp_path / "a", "new")
    assert os.listdir(tmp_path) == []
