"""A crew: processes that decode images into memory that this process shares.

Threads of one process take turns at Python's lock, which each image holds for a sixth of its time,
and the thread that drives a GPU waits behind them. Processes do not; but for the seconds in which
their helper loads torch, `read` does the work itself.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

from moderate_cli.embedding.engines.helper import Helper, Lost, Worker
from moderate_cli.embedding.engines.reading import (
    Facts,
    Stopped,
    Task,
    not_read,
    read_images,
)
from moderate_cli.embedding.engines.slabs import shared_file, shared_slab
from moderate_cli.errors import DeviceError

TRIES = 3  # helpers that may be lost
KILLED = "ended the process that decoded it, twice"


class Crew:
    """Workers, as many as threads call `read` at once.

    Parameters
    ----------
    images
        Rows of the slab.
    crop
        Side of the images in pixels.
    helper
        A helper that was started before; None starts one.

    Attributes
    ----------
    slab
        Where tasks put their images, uint8 (images, 3, crop, crop).
    stopped
        Whether it was stopped.

    Raises
    ------
    OSError
        If there is no room for the slab, or no process can be started.
    """

    def __init__(self, images: int, crop: int, helper: Helper | None = None) -> None:
        self._crop, self._lost = crop, 0
        with contextlib.ExitStack() as held:
            self._file = held.enter_context(shared_file(images, crop))
            self.slab = shared_slab(self._file, crop)
            self._helper: Helper | None = helper or Helper()
            self._helper.lend(self._file, crop)
            self._held = held.pop_all()
        self._hiring = threading.Lock()
        self._idle: list[Worker] = []
        self.stopped = False

    def read(self, task: Task) -> Facts:
        """Read images in a worker, or here as long as no worker can be there.

        An image that ends its worker twice, by a fault of its decoder or for lack of memory, is
        unreadable.

        Raises
        ------
        Stopped
            If the crew is stopped meanwhile.
        """
        worker = self._free() or self._hired(patiently=False)
        if worker is None:
            return read_images(task, self.slab, lambda: self.stopped)
        task = replace(task, source=task.source.part(task.names))
        try:
            return self._asked(worker, task)
        except Lost:
            return Facts.joined([self._alone(single) for single in task.singles()])

    def wait(self) -> None:
        """Wait until workers can be there."""
        if not self._idle and (worker := self._hired(patiently=True)):
            self._idle.append(worker)

    def stop(self) -> None:
        """End all processes; no task is read any more."""
        self.stopped = True
        if helper := self._helper:
            helper.close()  # a thread that waits for a worker goes on
        with self._hiring:
            self._dismiss()
            while worker := self._free():
                worker.close()
            self._held.close()

    def _alone(self, task: Task) -> Facts:
        """Read one image, which may be the one that ended a worker.

        Only in new workers: one that is idle may have been ended by another image.
        """
        for _ in range(2):
            worker = self._hired(patiently=True)
            assert worker is not None
            with contextlib.suppress(Lost):
                return self._asked(worker, task)
        return not_read(task, KILLED)

    def _asked(self, worker: Worker, task: Task) -> Facts:
        try:
            answer = worker.ask(task)
        except Lost:
            worker.close()
            if self.stopped:
                raise Stopped from None
            raise
        self._idle.append(worker)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _free(self) -> Worker | None:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return None

    def _hired(self, *, patiently: bool) -> Worker | None:
        """Fork a worker; None if that would take time, and `patiently` is false."""
        with self._hiring:
            while not self.stopped and self._lost < TRIES:
                try:
                    if self._helper is None:
                        self._helper = Helper()
                        self._helper.lend(self._file, self._crop)
                    return self._helper.fork() if patiently or self._helper.ready else None
                except (Lost, OSError):
                    self._lost += 1
                    self._dismiss()
            if self.stopped:
                raise Stopped
            if patiently:
                raise DeviceError(
                    "the processes that decode images end again and again; check that there is"
                    " enough memory, or use fewer --workers"
                )
            return None

    def _dismiss(self) -> None:
        if self._helper:
            self._helper.close()
            self._helper = None
