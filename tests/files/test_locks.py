import os
import subprocess
import sys
import threading

import pytest

from moderate_cli.errors import StoreError
from moderate_cli.files.locks import claim, lock

# A copy of the process, forked while the lock is held, that has all its files open and goes on.
COPY = """
import os, sys
from pathlib import Path
from moderate_cli.files import atomic
from moderate_cli.files import locks

ended, end = os.pipe()
close = os.close

def fork(work=lambda: os.read(ended, 1)):
    child = os.fork()
    if not child:
        close(end)
        work()
        os._exit(0)
    return child

def is_held(path):
    with locks.held_by_nobody_else(path) as free:
        return not free

path = Path(sys.argv[1])
"""


def run(code, path):
    done = subprocess.run(
        [sys.executable, "-c", COPY + code, path], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def test_a_lock_makes_the_second_wait_and_names_the_first(tmp_path):
    waited, order = [], []

    def second():
        with lock(tmp_path / "lock", waited.append):
            order.append("second")

    with lock(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        while not waited:
            pass
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert waited[0].startswith(f"process {os.getpid()} on ")


@pytest.mark.parametrize(
    "holding",
    [
        "locks.lock(path / 'a')",
        "locks.shared_lock(path / 'a')",
        "locks.lock_if_free(path / 'a')",
        "atomic.new_file(path / 'a')",
        "atomic.new_folder(path / 'a')",
        "atomic.first_folder(path / 'a')",
    ],
)
def test_a_copy_of_the_process_does_not_keep_a_lock(tmp_path, holding):
    code = f"""
with {holding}:
    fork()
    held = [str(entry) for entry in path.iterdir() if is_held(entry)]
print(len(held), is_held(path / 'a'))
"""
    assert run(code, tmp_path) == "1 False\n"


def test_a_copy_of_the_process_does_not_keep_a_turn(tmp_path):
    code = """
with locks.turn(path):
    fork()
    print(is_held(path))
print(is_held(path))
"""
    assert run(code, tmp_path) == "True\nFalse\n"


def test_to_look_whether_a_lock_is_held_leaves_it_free_in_copies(tmp_path):
    code = """
os.close = lambda descriptor: fork() and close(descriptor)
print(is_held(path))
os.close = close
print(is_held(path))
"""
    assert run(code, tmp_path) == "False\nFalse\n"


def test_a_copy_of_the_process_does_not_free_a_lock_that_is_held(tmp_path):
    code = """
with locks.lock(path / 'a'):
    inner = locks.turn(path)
    inner.__enter__()
    child = fork(lambda: inner.__exit__(None, None, None))
    os.waitpid(child, 0)
    print(is_held(path))
"""
    assert run(code, tmp_path) == "True\n"


def test_a_lock_file_that_is_not_regular_is_named(tmp_path):
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(StoreError) as caught, lock(tmp_path / "lock"):
        pass
    assert str(caught.value) == f"{tmp_path}/lock: is not a regular file; move it away"


def test_only_one_has_a_claim_at_a_time(tmp_path):
    with claim(tmp_path / "claim") as first, claim(tmp_path / "claim") as second:
        assert (first, second) == (True, False)
    assert os.listdir(tmp_path) == []
    with claim(tmp_path / "claim") as again:
        assert again
