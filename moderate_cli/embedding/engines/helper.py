"""The helper of a crew, and its workers, seen from the process that embeds.

The helper loads torch once, while it has one thread, and forks the workers. Compared with
`multiprocessing`, it runs nothing of the program that embeds, which may lack
`if __name__ == "__main__"`, and works the same with every version of Python.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it loads torch, which the helper is to load first
    from moderate_cli.embedding.engines.reading import Facts, Task

READY, FORK = b"r", b"f"
CROP = struct.Struct("<q")  # with the descriptor of the memory for images
# It gets this process's search path, not what `-m` would put first: the current folder.
PROGRAM = (
    "import sys; control, sys.path[:] = int(sys.argv[1]), sys.argv[2:];"
    " from moderate_cli.embedding.engines.serving import serve; serve(control)"
)
# A worker is one thread, and a process with several must not fork.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Lost(Exception):
    """A process has ended."""


class Worker:
    """A process that reads images."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._stream = end, end.makefile("rwb")

    def ask(self, task: Task) -> Facts | Exception:
        """Let it read images, and wait for their facts, or an error that is not about an image.

        Raises
        ------
        Lost
            If it has ended, possibly because of an image.
        """
        try:
            pickle.dump(task, self._stream)
            self._stream.flush()
            answer: Facts | Exception = pickle.load(self._stream)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise Lost from None
        return answer

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._stream.close()  # tries to send the rest of a task
        self._end.close()


class Helper:
    """A process that forks workers; when it is closed, or this process is killed, all of them end.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._loaded = False
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno()), *sys.path],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=os.environ | ONE_THREAD,
                    # Ctrl-C is for this process, even before Python could ignore it there.
                    start_new_session=True,
                )
            except BaseException:
                self._control.close()
                raise

    def lend(self, memory: int, crop: int) -> None:
        """Give it the memory for images, once and before it forks.

        Parameters
        ----------
        memory
            Descriptor of the memory.
        crop
            Side of the images in pixels.
        """
        with contextlib.suppress(OSError):  # it is lost, which is noticed when it is to fork
            socket.send_fds(self._control, [CROP.pack(crop)], [memory])

    @property
    def ready(self) -> bool:
        """Whether it can fork at once.

        Raises
        ------
        Lost
            If it has ended.
        """
        try:
            self._loaded = self._loaded or self._heard(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True

    def fork(self) -> Worker:
        """Make a worker, as soon as torch is loaded.

        Raises
        ------
        Lost
            If the helper has ended.
        """
        self._loaded = self._loaded or self._heard(0)
        try:
            self._control.sendall(FORK)
            _, ends, _, _ = socket.recv_fds(self._control, len(FORK), 1)
        except OSError:
            raise Lost from None
        if not ends:
            raise Lost
        os.set_inheritable(ends[0], False)
        return Worker(socket.socket(fileno=ends[0]))

    def close(self) -> None:
        """End it and its workers."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)  # it kills the workers, and ends
        if not self._loaded:
            self._process.kill()
        self._process.wait()
        self._control.close()

    def _heard(self, flags: int) -> bool:
        try:
            heard = self._control.recv(len(READY), flags)
        except BlockingIOError:
            raise
        except OSError:
            raise Lost from None
        if heard != READY:
            raise Lost
        return True
