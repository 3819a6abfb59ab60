"""Files whose names are like that of a missing one."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from moderate_cli.text import resembling

MOST = 10_000  # entries of a folder that are looked at


def near_or(path: str | os.PathLike[str], advice: str) -> str:
    """Ask "did you mean ...?" if a file is missing and one beside it has a name like it.

    Parameters
    ----------
    path
        The file, or the folder.
    advice
        The next step, if there is none.
    """
    missing = Path(path)
    try:
        if os.path.lexists(path):
            return advice
        with os.scandir(missing.parent) as entries:
            names = [entry.name for entry in islice(entries, MOST)]
    except (OSError, ValueError):
        return advice
    near = resembling(missing.name, sorted(names))
    return f"did you mean {missing.with_name(near[0])}?" if near else advice
