"""The state of an unfinished training, in a file that is replaced between epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moderate_cli.errors import WeightsError
from moderate_cli.files.atomic import new_file
from moderate_cli.networks.checkpoints import load_file, saved

FORMAT = 2  # of the state


class Checkpoint:
    """The file with the state.

    Parameters
    ----------
    path
        The file.
    key
        Changes with the images, and with how to train; a state of another key is not used.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, f"{FORMAT} {key}"

    def read(self) -> dict[str, Any] | None:
        """Return the state of the same training, if there is one."""
        try:
            content = load_file(self._path)
        except WeightsError:
            return None
        if not isinstance(content, dict) or content.get("key") != self._key:
            return None
        state: dict[str, Any] = content["state"]
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file."""
        content = saved({"key": self._key, "state": state})
        with new_file(self._path) as file:
            file.write(content)

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
