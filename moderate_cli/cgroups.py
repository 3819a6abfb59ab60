"""Processors that the control groups of Linux leave to this process, as in a container."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

OWN = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
# Files with microseconds of all processors together, and the period that they are for.
VERSION_1, VERSION_2 = ("cpu.cfs_quota_us", "cpu.cfs_period_us"), ("cpu.max",)


@functools.cache
def allowed_processors() -> float | None:
    """Return how many processors may be used at once, such as 2.5; None without a limit.

    A group is bound by the groups around it, too. In a container, the outermost group that is seen
    may be the container's own.
    """
    try:
        lines = [line.split(":", 2) for line in OWN.read_text(encoding="utf-8").splitlines()]
    except OSError:  # not on Linux
        return None
    found: list[float] = []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if not controllers:
            found += _limits(ROOT, path, VERSION_2)
        elif "cpu" in controllers.split(","):
            for name in ("cpu", controllers):
                found += _limits(ROOT / name, path, VERSION_1)
    return min(found, default=None)


def _limits(root: Path, path: str, files: tuple[str, ...]) -> Iterator[float]:
    """Yield the limits of a group and of those around it."""
    inner = PurePosixPath(path.lstrip("/"))
    for group in (inner, *inner.parents):
        try:
            texts = [(root / group / name).read_text(encoding="ascii") for name in files]
            quota, period = (int(text) for text in " ".join(texts).split())
        except (OSError, ValueError):  # no such group here, or "max"
            continue
        if quota > 0 and period > 0:  # in version 1, -1 is no limit
            yield quota / period
