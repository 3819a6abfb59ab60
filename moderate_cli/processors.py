"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Return their number, which a container or `taskset` may make smaller than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
