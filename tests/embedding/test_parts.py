"""Parts of one feature set that several processes fill at once."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import paint
from listeners import Told

from moderate_cli import embed
from moderate_cli.dataset import scan, sources
from moderate_cli.dataset.sources import read_file
from moderate_cli.embedding import lifecycle
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.store import blocks

SET = "pixels-float32-float32"
OPTIONS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch", "on_error": "skip"}
# As on a network file system that has no locks.
LOCKLESS = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 2)


@pytest.fixture
def many(data):
    """Two blocks of rows, and a part of another."""
    for image in range(2200):
        paint(data / "cat" / f"x{image}.png", image % 256)
    (data / "dog" / "bad.png").write_bytes(b"")
    return data


def whole(root):
    """Contents of the set that one process makes."""
    return contents(embed(scan(root), store=root.parent / "whole", **OPTIONS).folder)


def part(root, number, of=3, **options):
    return embed(scan(root), part=(number, of), **OPTIONS, **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def store_of(root):
    return root.with_name("train.moderate")


def start(root, *args, before=""):
    code = f"{before}\nimport sys; from moderate_cli.cli import main; main(sys.argv[1:])"
    environment = os.environ | {
        "MODERATE_BACKBONE": "pixels",
        "MODERATE_DTYPE": "float32",
        "MODERATE_RUNTIME": "torch",
        "MODERATE_ON_ERROR": "skip",
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, "embed", root, *args],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def blocks_done(root):
    return [
        path.read_text().count("\n") for path in store_of(root).glob(f"{SET}.partial/journal-*")
    ]


@pytest.mark.parametrize("before", ["", LOCKLESS], ids=["locks", "no locks"])
def test_parts_at_once_make_the_bytes_of_one_process(many, before):
    expected = whole(many)
    processes = [start(many, "--part", f"{number}/3", before=before) for number in (1, 2, 3)]
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], told
    assert sum("images, 192 features each" in lines for lines in told) >= 1
    assert contents(store_of(many) / SET) == expected
    assert sorted(os.listdir(store_of(many))) == ["moderate.lock", SET]


def test_a_part_that_was_killed_is_run_again_while_others_go_on(many):
    expected = whole(many)
    processes = [start(many, "--part", f"{number}/2") for number in (1, 2)]
    while not any(blocks_done(many)) and any(process.poll() is None for process in processes):
        time.sleep(0.005)
    processes[0].send_signal(signal.SIGKILL)
    processes.append(start(many, "--part", "1/2"))
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes[1:]] == [0, 0], told
    assert contents(store_of(many) / SET) == expected
    assert sorted(os.listdir(store_of(many))) == ["moderate.lock", SET]


def test_the_last_part_completes_the_set_in_any_order(data, small_blocks):
    expected = whole(data)
    counts = []
    assert part(data, 3) is None
    assert part(data, 1, listener=Told(embed=counts)) is None
    assert counts == [(0, 4), (2, 4), (4, 4)]
    assert part(data, 1) is None
    assert contents(part(data, 2).folder) == expected
    assert contents(part(data, 2).folder) == expected
    assert sorted(os.listdir(store_of(data))) == ["moderate.lock", SET]


def test_embed_without_a_part_completes_the_set(data, small_blocks):
    expected, counts = whole(data), []
    part(data, 1)
    done = embed(scan(data), **OPTIONS, listener=Told(embed=counts))
    assert counts == [(4, 8), (6, 8), (8, 8)]
    assert contents(done.folder) == expected


def test_embed_without_a_part_waits_for_parts(data, small_blocks):
    waited, threads = [], []

    def second():
        embed(scan(data), **OPTIONS, listener=Told(waiting=waited))

    def start_second(done, total):
        if done == 1:
            threads.append(threading.Thread(target=second))
            threads[0].start()
            while not waited:
                time.sleep(0.001)

    expected = whole(data)
    part(data, 1, batch_size=1, listener=Told(embed=start_second))
    threads[0].join()
    assert contents(store_of(data) / SET) == expected


def test_parts_take_what_an_older_set_holds(data, small_blocks):
    embed(scan(data), **OPTIONS)
    for row in ("cat/0.png", "dog/0.png"):  # of the first block and the third
        paint(data / row, 9)
    counts = []
    assert part(data, 1, listener=Told(embed=counts)) is None
    done = part(data, 3, listener=Told(embed=counts))
    assert counts == [(0, 1), (1, 1), (0, 1), (1, 1)]
    assert [round(255 * float(value)) for value in done.features[:, 0]] == [
        9, 51, 102, 153, 255, 9, 255, 51
    ]  # fmt: skip


def test_a_part_with_nothing_to_embed_loads_no_network(data, small_blocks, monkeypatch):
    expected = whole(data)
    part(data, 1)
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "_open_engine", None)
        assert part(data, 1) is None  # other parts have the rest
    part(data, 2)
    part(data, 3)
    for path in data.rglob("*.png"):
        path.touch()
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "_open_engine", None)
        done = part(data, 2)  # of which the set that is there has all rows
    assert (done.folder / "features.npy").read_bytes() == expected["features.npy"]
    assert sorted(os.listdir(store_of(data))) == ["moderate.lock", SET]


def test_an_image_that_could_not_be_read_once_stops_no_part(data, small_blocks, monkeypatch):
    expected, failed = whole(data), []

    def read(path):
        if path.endswith("cat/1.png") and not failed:
            failed.append(path)
            raise OSError(5, "Input/output error")
        return read_file(path)

    monkeypatch.setattr(sources, "read_file", read)
    assert part(data, 1) is None
    assert part(data, 2) is None
    assert part(data, 3).unreadable == {1: "Input/output error"}
    assert contents(embed(scan(data), **OPTIONS).folder) == expected


def test_a_part_that_has_ended_does_not_wait_for_others(data, small_blocks):
    expected, ended = whole(data), []

    def end_others(done, total):
        if done == 1:
            ended.extend([part(data, 1), part(data, 2)])

    last = part(data, 3, batch_size=1, listener=Told(embed=end_others))
    assert contents(last.folder) == expected
    assert ended == [None, None]


def test_where_there_are_no_locks_one_part_does_without(many):
    process = start(many, before=LOCKLESS)
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 1
    assert told == (
        f"moderate: error: {store_of(many)}: its file system does not support locks; pass --part"
        " 1/1, or another --store DIR\n"
    )
    process = start(many, "--part", "1/1", before=LOCKLESS)
    assert "images, 192 features each" in process.communicate(timeout=300)[1]
    process = start(many, before=LOCKLESS)  # there is nothing to write
    assert process.communicate(timeout=300)[1].endswith(f"{store_of(many)}/{SET}\n")


def test_parts_refuse_a_set_that_others_started_with_other_images(data, small_blocks):
    part(data, 1)
    paint(data / "cat" / "0.png", 9)
    with pytest.raises(StoreError) as caught:
        part(data, 2)
    assert str(caught.value) == (
        f"{store_of(data)}/{SET}.partial: was started with other images, options or software, or"
        " is complete; run `moderate embed` without --part to continue from it"
    )
    done = embed(scan(data), **OPTIONS)
    assert round(255 * float(done.features[0, 0])) == 9


def test_what_is_left_of_one_killed_while_completing_goes_with_the_next_embed(
    data, small_blocks, monkeypatch
):
    expected = whole(data)
    part(data, 1)
    part(data, 2)
    (store_of(data) / f"{SET}.claim").touch()
    monkeypatch.setattr(lifecycle, "CLAIM_TRIES", 2)
    assert part(data, 3) is None
    assert contents(embed(scan(data), **OPTIONS).folder) == expected
    assert sorted(os.listdir(store_of(data))) == ["moderate.lock", SET]


def test_a_part_says_what_is_to_come(data, moderate):
    done = moderate("embed", data, "--part", "2/2")
    assert done == (
        0,
        "",
        "moderate: Embedded part 2 of 2\n"
        "moderate: hint: the last part, or `moderate embed` without --part, completes the"
        " features\n",
    )
    done = moderate("embed", data, "--part", "1/2")
    assert done.stderr == (
        f"moderate: Embedded 8 images, 192 features each -> {store_of(data)}/{SET}\n"
    )


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/"])
def test_a_part_that_is_not_valid_is_refused(data, moderate, text):
    done = moderate("embed", data, "--part", text)
    assert done.status == 2
    assert f"{text!r} is not a valid part; use I/N, e.g. 3/8." in done.stderr
    with pytest.raises(ArgumentError, match=r"^part: 4/3 is not a valid part; use 1/3 to 3/3$"):
        part(data, 4)
