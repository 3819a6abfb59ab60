import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from moderate_cli import threads
from moderate_cli.threads import _signals_held, in_threads, one_blas_thread


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


def blas_threads():
    """The numbers of threads of the libraries behind matrix products."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_blas_has_one_thread_in_a_pool_and_what_it_had_before_and_after():
    with threadpool_limits(2, user_api="blas"):
        with closing(in_threads(lambda _: blas_threads(), range(20))) as found:
            assert next(found) == {1}
            assert blas_threads() == {1}  # beside the pool, too
        assert blas_threads() == {2}
        assert list(in_threads(lambda _: blas_threads(), range(3))) == [{1}] * 3
        assert blas_threads() == {2}


def test_blas_has_one_thread_until_the_last_who_needs_it_has_ended():
    with threadpool_limits(2, user_api="blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}

        @one_blas_thread()
        def fail():
            assert blas_threads() == {1}
            raise Interrupted

        with pytest.raises(Interrupted):
            fail()
        assert blas_threads() == {2}


def test_a_pool_in_a_pool_works_in_the_thread_that_asks(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 4)

    def work(_):
        return threading.get_ident(), list(in_threads(lambda _: threading.get_ident(), range(5)))

    for outer, inner in in_threads(work, range(8)):
        assert inner == [outer] * 5
        assert outer != threading.get_ident()


def test_threads_help_only_those_that_last(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 8)

    def used(alone):
        def work(_):
            time.sleep(0.002)
            return threading.get_ident()

        return len(set(in_threads(work, range(40), alone=alone)))

    assert used(60.0) <= 2  # a thread may take the next part before it tells that it is free
    assert used(0.0) > 4


def test_little_work_is_worth_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 4)
    found = [threads.threads_for(count * threads.WORTH) for count in (0, 0.9, 2.5, 99)]
    assert found == [1, 1, 2, 4]


def test_small_calls_are_worth_no_more_threads_than_the_interpreter_keeps_busy(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 16)
    calls = 99 * threads.WORTH / threads.STEPS
    found = [
        threads.threads_for(each * calls, calls)
        for each in (0.5 * threads.STEPS, 2.5 * threads.STEPS, 99 * threads.STEPS)
    ]
    assert found == [1, 3, 16]
    # Herding a tenth of ImageNet, and of as many images in classes of 100.
    monkeypatch.undo()
    monkeypatch.setattr(threads, "processors", lambda: 16)
    for size, most in ((1281, 16), (100, 2)):
        classes, steps = 1_281_167 / size, size / 10 + 32
        assert threads.threads_for(classes * size * 1280 * steps, classes * steps) == most


@pytest.mark.parametrize(("at_once", "most"), [(None, 6), (2, 2), (99, 6)])
def test_no_more_results_wait_than_were_asked_for(monkeypatch, at_once, most):
    monkeypatch.setattr(threads, "processors", lambda: 3)
    begun = []
    with closing(in_threads(begun.append, range(50), at_once)) as results:
        for used, _ in enumerate(results):
            assert len(begun) <= used + most
    assert sorted(begun) == list(range(50))


@pytest.mark.parametrize("given", [None, "3"])
def test_the_command_line_starts_no_threads_of_blas_unless_asked_to(given):
    program = (
        "import os; from moderate_cli import __main__, cli;"
        "cli.main = lambda: print(os.environ['OPENBLAS_NUM_THREADS']); __main__.main()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{given or 1}\n"


def test_a_single_processor_works_in_the_thread_that_asks(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 1)
    here = threading.get_ident()
    assert list(in_threads(lambda part: (part, threading.get_ident()), [1, 2])) == [
        (1, here), (2, here)
    ]  # fmt: skip
    assert list(in_threads(lambda _: threading.get_ident(), [1], count=1)) != [here]


def test_a_single_part_and_little_work_stay_in_the_thread_that_asks(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 4)
    here = threading.get_ident()
    assert list(in_threads(lambda _: threading.get_ident(), iter([1]))) == [here]
    assert set(in_threads(lambda _: threading.get_ident(), range(9), most=1)) == {here}
    found = set(
        in_threads(lambda _: (time.sleep(0.002), threading.get_ident())[1], range(40), most=2)
    )
    assert len(found) == 2
    assert here not in found
    assert not list(in_threads(abs, []))


@pytest.mark.parametrize(
    ("given", "limited"),
    [
        ({"OPENBLAS": "1"}, True),
        ({"OMP": "1"}, False),
        ({"OPENBLAS": "1", "MKL": "1"}, False),
        ({"OPENBLAS": "2", "OMP": "1"}, True),
    ],
)
def test_blas_is_not_limited_where_the_environment_does_that(given, limited):
    code = (
        "import sys; from moderate_cli.threads import one_blas_thread\n"
        "with one_blas_thread(): print('threadpoolctl' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment |= {f"{name}_NUM_THREADS": number for name, number in given.items()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{limited}\n"


def test_without_threadpoolctl_work_goes_on():
    code = (
        "import sys; sys.modules['threadpoolctl'] = None\n"
        "from moderate_cli.threads import in_threads; print(list(in_threads(abs, [-1, 2])))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 2]\n"
