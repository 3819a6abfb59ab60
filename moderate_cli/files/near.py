"""Files whose names are like that of a missing one."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from moderate_cli.text import resembling

MOST = 10_000  # entries of a folder that are looked at


def near_or(path: str | os.PathLike[str], advice: str) -> str:
    """Ask "did you mean ...?" if a file is missing, and one with a name like it is there.

    Parameters
    ----------
    path
        The file, or the folder.
    advice
        The next step, if there is none.
    """
    missing, inner = Path(path), Path()
    try:
        if os.path.lexists(path):
            return advice
        while not os.path.lexists(missing.parent):
            missing, inner = missing.parent, missing.name / inner
        with os.scandir(missing.parent) as entries:
            names = [entry.name for entry in islice(entries, MOST)]
    except (OSError, ValueError):
        return advice
    found = (missing.with_name(name) / inner for name in resembling(missing.name, sorted(names)))
    near = next(filter(os.path.lexists, found), None)
    return advice if near is None else f"did you mean {near}?"
