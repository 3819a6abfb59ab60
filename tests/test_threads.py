import os
import signal
import threading
import time
from contextlib import closing

import pytest

from moderate_cli.threads import _signals_held, in_threads


class Interrupted(Exception):
    pass


@pytest.fixture
def interrupting():
    def interrupt(_number, _frame):
        raise Interrupted

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


def test_results_come_in_order():
    assert list(in_threads(lambda part: part * 2, range(100))) == list(range(0, 200, 2))


@pytest.mark.usefixtures("interrupting")
def test_a_signal_waits_until_threads_have_started():
    passed = []

    def start():
        with _signals_held():
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):
                passed.append(True)

    with pytest.raises(Interrupted):
        start()
    assert len(passed) == 1000
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("interrupting")
def test_no_thread_works_once_it_is_over():
    working = []

    def work(part):
        time.sleep(0.01)
        working.append(part)

    def run():
        with closing(in_threads(work, range(1000))) as results:
            for _ in results:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        run()
    seen = len(working)
    assert seen < 1000
    time.sleep(0.1)
    assert len(working) == seen


def test_in_another_thread_signals_are_left_alone():
    before, found = signal.getsignal(signal.SIGTERM), []

    def run():
        with _signals_held():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
