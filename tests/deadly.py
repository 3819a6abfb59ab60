"""Readers of images that processes load by name: they are slow, or end their process."""

import os
import signal
import time
from pathlib import Path

from moderate_cli.images.gpu_files import read_file
from moderate_cli.images.preprocessing import read_image

MARK = "deadly"  # in the name of an image
SLOW = "class2"  # in the name of an image that takes so many seconds:
SECONDS = 0.02


def read_or_die(path, *how):
    """Read an image; one that is marked kills the process."""
    if MARK in path:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_image(path, *how)


def read_or_die_once(path, *how):
    """The same, but it kills only one process."""
    mark = Path(f"{path}.killed")
    if MARK in path and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read_image(path, *how)


def read_slowly(path, *how):
    """Read an image as if it were larger, if it is marked."""
    if SLOW in path:
        time.sleep(SECONDS)
    return read_image(path, *how)


def read_wrongly(path, *how):
    """Fail as a mistake in the program does."""
    raise ZeroDivisionError(path)


def read_file_or_die(path, *how):
    """Read a file for a GPU; one that is marked kills the process."""
    if MARK in path:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_file(path, *how)
