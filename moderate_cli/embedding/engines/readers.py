"""Readers of tasks: the threads that ask for them, or processes."""

from __future__ import annotations

import threading
from typing import Protocol

from moderate_cli.embedding.engines.reading import Facts, Task, read_images
from moderate_cli.embedding.engines.slabs import Slab, private_slab


class Readers(Protocol):
    """Read images into a slab."""

    @property
    def slab(self) -> Slab:
        """Where tasks put their images, uint8 (n, 3, crop, crop)."""

    def read(self, task: Task) -> Facts:
        """Read the images of a task; as many threads call it as there are workers."""

    def stop(self) -> None:
        """Let all calls of `read` end soon, in an error."""


class Threads:
    """Reads in the threads that call `read`.

    Parameters
    ----------
    images
        Rows of the slab.
    crop
        Side of the images in pixels.
    """

    def __init__(self, images: int, crop: int) -> None:
        self.slab = private_slab(images, crop)
        self._stopped = threading.Event()

    def read(self, task: Task) -> Facts:
        """Read images, until `stop` is called."""
        return read_images(task, self.slab, self._stopped.is_set)

    def stop(self) -> None:
        """Stop before the next image of each task."""
        self._stopped.set()
