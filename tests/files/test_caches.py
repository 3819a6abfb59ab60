import os
import stat

import pytest

from moderate_cli.files import caches
from moderate_cli.files.caches import keep_cached, read_cached


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "moderate" / "kind"


def test_a_content_that_was_kept_is_read_again(folder):
    assert read_cached("kind", "key") is None
    keep_cached("kind", "key", b"content")
    assert read_cached("kind", "key") == b"content"
    assert read_cached("kind", "other") is None
    assert os.listdir(folder) == ["key"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_only_the_contents_used_last_are_kept(folder):
    for number in range(4):
        keep_cached("kind", str(number), b"x")
        os.utime(folder / str(number), (number, number))
    assert read_cached("kind", "0") == b"x"  # used just now
    keep_cached("kind", "new", b"x")
    assert sorted(os.listdir(folder)) == ["0", "2", "3", "new"]


def test_a_large_content_is_not_kept(folder, monkeypatch):
    monkeypatch.setattr(caches, "LARGEST", 3)
    keep_cached("kind", "small", b"abc")
    keep_cached("kind", "large", b"abcd")
    assert os.listdir(folder) == ["small"]


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 32, b"x" * 100])
def test_a_damaged_content_is_not_read(content, folder):
    keep_cached("kind", "key", b"content")
    (folder / "key").write_bytes(content)
    assert read_cached("kind", "key") is None


@pytest.mark.parametrize("value", ["", "relative", None])
def test_without_a_folder_for_caches_it_is_that_of_the_home(value, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if value is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    keep_cached("kind", "key", b"content")
    assert (tmp_path / "home/.cache/moderate/kind/key").exists()


def test_a_disk_that_refuses_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_cached("kind", "key", b"content")
    assert read_cached("kind", "key") is None
