"""Blocks are written in a thread, one after another."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from moderate_cli.store.behind import WAITING, behind


class Slow:
    """A writer that waits for a signal before each block, and fails at some."""

    def __init__(self, *bad):
        self.written, self.bad = [], bad
        self.go = threading.Semaphore(0)

    def write(self, block):
        assert threading.current_thread() is not threading.main_thread()
        self.go.acquire()
        if block in self.bad:
            raise OSError(block)
        self.written.append(block)


def test_nobody_waits_for_the_disk_until_blocks_pile_up():
    writer = Slow()
    with behind(writer) as writes, ThreadPoolExecutor(1) as other:
        for block in range(WAITING + 1):
            writes.write(block)
        assert writer.written == []
        one_more = other.submit(writes.write, WAITING + 1)
        with pytest.raises(TimeoutError):
            one_more.result(0.2)
        writer.go.release()
        one_more.result(60)
        writer.go.release(WAITING + 1)
    assert writer.written == list(range(WAITING + 2))
    assert writes.seconds > 0


def hand_over(writer, blocks, error=None, patiently=False):
    """Write blocks behind, then raise an error."""
    writer.go.release(len(blocks))
    with behind(writer) as writes:
        for block in blocks:
            writes.write(block)
            while patiently and not writes._writes[-1].done():
                pass
        if error is not None:
            raise error


def test_an_error_is_raised_when_the_next_block_is_handed_over():
    writer = Slow(0)
    with pytest.raises(OSError, match="0"):
        hand_over(writer, [0, 1, 2], patiently=True)
    assert writer.written == []


def test_an_error_of_the_last_block_is_raised_at_the_end():
    writer = Slow(1)
    with pytest.raises(OSError, match="1"):
        hand_over(writer, [0, 1])
    assert writer.written == [0]


def test_whatever_ends_the_work_what_was_handed_over_is_written():
    writer = Slow()
    with pytest.raises(KeyboardInterrupt):
        hand_over(writer, [0, 1], KeyboardInterrupt())
    assert writer.written == [0, 1]
