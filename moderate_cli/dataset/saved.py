"""Folders that `Dataset.save_to_disk` of Hugging Face writes: Arrow streams and their state.

They are read by pyarrow alone: `datasets` would bring pandas, a network client and a cache folder
for a JSON file with the names of the streams, which has not changed since its version 1.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.errors import DatasetError
from moderate_cli.files.regular import read_regular
from moderate_cli.text import one_line, some

STATE = "state.json"
INFO = "dataset_info.json"
SPLITS = "dataset_dict.json"


def is_saved(folder: str) -> bool:
    """Whether a folder has a saved dataset, or several that are splits."""
    return any(os.path.isfile(os.path.join(folder, name)) for name in (STATE, SPLITS))


def streams_of(folder: str) -> tuple[str, list[str]]:
    """Return the folder of a saved dataset, and the names of its Arrow streams, in order.

    It is the folder itself, or the one of its only split.

    Raises
    ------
    DatasetError
        If the folder has several splits, or its state cannot be read.
    """
    if not os.path.isfile(os.path.join(folder, STATE)):
        splits = _read(folder, SPLITS, "splits")
        if len(splits) > 1:
            raise DatasetError(
                f"{folder}: contains splits ({some(splits)}); pass one of them, e.g."
                f" {os.path.join(folder, splits[0])}"
            )
        folder = os.path.join(folder, splits[0])
    if _state(folder).get("_indices_data_files"):
        raise DatasetError(
            f"{folder}: was saved by an old version of datasets, with its rows in another order;"
            " load and save it again"
        )
    return folder, _read(folder, STATE, "_data_files")


def save_state(folder: str, streams: Iterable[str], rows: bytes, target: Path) -> None:
    """Write the state of a copy that has these streams, with these rows in them.

    It gets a fingerprint of its own: by that, `datasets` finds the results that it has cached.
    """
    state = _state(folder)
    state["_data_files"] = [{"filename": name} for name in streams]
    mark = f"{state.get('_fingerprint')} {rows.hex()}".encode()
    state["_fingerprint"] = content_digest(mark).hex()[:16]
    (target / STATE).write_text(json.dumps(state, indent=2), encoding="utf-8")
    if os.path.isfile(os.path.join(folder, INFO)):
        shutil.copy(os.path.join(folder, INFO), target / INFO)


def _state(folder: str) -> dict[str, Any]:
    found = _json(folder, STATE)
    if not isinstance(found, dict):
        raise DatasetError(f"{os.path.join(folder, STATE)}: is not of a saved dataset")
    return found


def _read(folder: str, name: str, key: str) -> list[str]:
    """Return names in a file of JSON, each the name of something in the folder."""
    try:
        found = _json(folder, name)[key]
        names = [one["filename"] if isinstance(one, dict) else one for one in found]
        if not names or not all(one == os.path.basename(one) for one in names):
            raise ValueError(names)
        return names
    except (KeyError, TypeError, ValueError):
        raise DatasetError(f"{os.path.join(folder, name)}: is not of a saved dataset") from None


def _json(folder: str, name: str) -> Any:
    path = os.path.join(folder, name)
    try:
        return json.loads(read_regular(path))
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or one_line(error)}") from None
    except (ValueError, RecursionError):
        raise DatasetError(f"{path}: is not JSON; copy the dataset again") from None
