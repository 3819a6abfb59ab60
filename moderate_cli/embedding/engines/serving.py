"""The program of a crew's helper, and of the workers that it forks.

Each ends when its socket closes: also if the process that embeds is killed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import socket
import traceback
from typing import NoReturn

import torch

from moderate_cli.embedding.engines.helper import CROP, FORK, READY
from moderate_cli.embedding.engines.reading import Facts, Task, read_images
from moderate_cli.embedding.engines.seats import sit_among
from moderate_cli.embedding.engines.slabs import Slab, shared_slab
from moderate_cli.images.gpu_files import read_file  # noqa: F401 - loaded before forks
from moderate_cli.images.memory import share_room
from moderate_cli.images.quiet import without_warnings

# Only the process that embeds decides when to end.
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(control: int) -> None:
    """Fork workers on request, until the socket closes; then kill them.

    Parameters
    ----------
    control
        Descriptor of the socket for requests.
    """
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    workers: list[int] = []
    # The socket is closed if the process that embeds has ended.
    with (
        contextlib.suppress(ConnectionError),
        socket.socket(fileno=control) as requests,
        without_warnings(),
    ):
        requests.sendall(READY)
        slab = _lent(requests)
        gc.collect()
        gc.freeze()  # what is never looked at again stays shared with the workers
        while _next(requests) == FORK:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                workers.append(os.fork())
                if not workers[-1]:
                    requests.close()
                    ours.close()
                    _work(theirs, slab)
                socket.send_fds(requests, [FORK], [ours.fileno()])
    for worker in workers:  # even those that have ended: until now, nobody else has their numbers
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)


def _lent(requests: socket.socket) -> Slab:
    """Wait for the memory for images."""
    content, memories, _, _ = socket.recv_fds(requests, CROP.size, 1)
    if not memories:
        raise ConnectionResetError
    (crop,) = CROP.unpack(content)
    share_room(sit_among(memories[0]))
    return shared_slab(memories[0], crop)


def _next(requests: socket.socket) -> bytes:
    try:
        return requests.recv(len(FORK))
    except ConnectionError:
        return b""


def _work(end: socket.socket, slab: Slab) -> NoReturn:
    stream = end.makefile("rwb")
    try:
        while True:
            answer = _answer(pickle.load(stream), slab)
            pickle.dump(answer, stream)
            stream.flush()
    finally:  # the socket is closed; whatever happens, the helper's code is not for this process
        os._exit(0)


def _answer(task: Task, slab: Slab) -> Facts | Exception:
    """Read images; an error becomes one that can be pickled."""
    try:
        return read_images(task, slab)
    except MemoryError as error:
        return MemoryError(str(error))
    except Exception:
        return RuntimeError(traceback.format_exc())
