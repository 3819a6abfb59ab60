"""Run `moderate` as a user without rights, even where the tests run as root.

A module of its own, for the process that does so has to import it by name.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from conftest import paint
from faults.forking import context

from moderate_cli.cli import _run

NOBODY = 65534


def as_nobody(folder: Path, *args: str | os.PathLike[str]) -> tuple[int | None, str]:
    """Exit status and stderr of a command that may write to nothing but `folder`."""
    (folder / "stderr").unlink(missing_ok=True)
    process = context.Process(target=_as_nobody, args=(folder, [os.fspath(arg) for arg in args]))
    process.start()
    process.join()
    return process.exitcode, (folder / "stderr").read_text()


def _as_nobody(folder: Path, args: list[str]) -> None:
    os.chdir(folder)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ |= {"MODERATE_BACKBONE": "pixels", "MODERATE_RUNTIME": "torch"}
    # That user may perhaps not read what Python loads: a first run of everything loads it.
    for name in ("first", "first.moderate"):  # of an earlier command, which would be used again
        shutil.rmtree(folder / name, ignore_errors=True)
    for image in range(8):
        paint(folder / "first" / ("cat", "dog")[image % 2] / f"{image}.png", image)
    (folder / "first" / "cat" / "bad.png").touch()
    for more in ([], ["--on-error", "skip"]):
        _run(["select", "-r", "1", str(folder / "first"), *more])
    for descriptor in (1, 2):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os._exit(_run(args))
