"""Processes that a process has started, and the files of a set that they must not change."""

import contextlib
from pathlib import Path


def contents(store):
    """Return the files of a set but for the place of its dataset, which is relative."""
    files = {path.name: path.read_bytes() for path in sorted(store.folder.iterdir())}
    assert files.pop("dataset.txt")
    return files


def children(process):
    """Numbers of the processes that a process has started, and that still run."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split() if runs(int(child))]


def runs(process):
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{process}/stat").read_text()
        return status.rpartition(")")[2].split()[0] not in "ZX"
    return False
