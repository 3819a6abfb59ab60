import os

import pytest

from moderate_cli.errors import OutputError
from moderate_cli.files.destinations import check_room


def test_a_folder_that_could_not_be_renamed_to_its_place_is_refused_at_once(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: os.fspath(path) != os.fspath(tmp_path))
    for name, more in (
        ("mine", f"choose a folder inside it, e.g. {tmp_path}/mine/out"),
        ("other", "choose another place"),
    ):
        with pytest.raises(OutputError) as caught:
            check_room(tmp_path / name)
        assert str(caught.value) == (
            f"{tmp_path}/{name}: cannot be created, because {tmp_path} is not writable; {more}"
        )
    check_room(tmp_path / "mine" / "out")
