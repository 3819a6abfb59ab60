"""Corrected labels that a user names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset.corrections import Corrections
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice


def corrections_in(
    file: str,
    paths: Sequence[str],
    labels: npt.NDArray[np.int64],
    classes: Sequence[str],
    listener: Listener,
    *,
    name: str,
    root: str = "",
) -> Corrections:
    """Read corrected labels; notify of their number, and of paths that are not in the dataset.

    Parameters and errors as of `moderate_cli.dataset.correcting.read_corrections`.
    """
    from moderate_cli.dataset.correcting import read_corrections  # with all formats of tables

    found = read_corrections(file, paths, labels, classes, name=name, root=root)
    left_out = int(np.count_nonzero(found.left_out))
    listener.notice(Notice("corrections", len(found.changed), left_out, names=(found.name,)))
    if found.unknown:
        names = (found.name, found.unknown[0])
        listener.notice(Notice("unknown corrections", len(found.unknown), names=names))
    return found
