"""Processes that decode images: the same bytes as threads, whatever is killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import deadly
import numpy as np
import pytest
import torch
from conftest import paint
from listeners import Told
from processes import children, contents, runs

from moderate_cli import embed, open_store
from moderate_cli.dataset import scan
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.remote import scan_remote
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.engines import batches, crew, helper, hiring, local
from moderate_cli.embedding.engines.crew import KILLED, Crew
from moderate_cli.embedding.engines.reading import Reading, Stopped, Task
from moderate_cli.embedding.engines.slabs import private_slab
from moderate_cli.embedding.request import Request
from moderate_cli.errors import DeviceError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import FeatureSpec

OPTIONS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch", "on_error": "skip"}
IMAGES = 1300  # two blocks
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def shared():
    """A crew with room for all that is read here at once, whose helper has loaded torch."""
    found = Crew(1024, 8)
    found.wait()
    yield found
    found.stop()


@pytest.fixture
def by_crew(shared, monkeypatch):
    """Embedding in this process is done by the shared crew."""
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: shared)
    return shared


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Images of a few pixels in two blocks, some of them unreadable."""
    root = tmp_path_factory.mktemp("many") / "train"
    for image in range(IMAGES):
        paint(root / f"class{image % 3}" / f"{image}.png", image % 256)
    (root / "class1" / "bad.png").write_bytes(b"")
    (root / "class2" / "gone.png").symlink_to("nowhere")
    return root


@pytest.fixture(scope="module")
def by_threads(many):
    """The bytes of the set that threads make."""
    return contents(embed(scan(many), store=many.parent / "threads", workers=2, **OPTIONS))


def workers_of(some):
    return children(some._helper._process.pid)


def until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize(("workers", "task"), [(1, 64), (3, 8), (3, 64), (5, 32)])
def test_a_set_has_the_bytes_that_threads_make(
    many, by_threads, by_crew, monkeypatch, tmp_path, workers, task
):
    monkeypatch.setattr(batches, "TASK", task)
    found = embed(scan(many), store=tmp_path / "s", workers=workers, batch_size=64, **OPTIONS)
    assert contents(found) == by_threads
    assert sorted(found.unreadable.values()) == ["No such file or directory", "is empty"]
    assert 1 <= len(workers_of(by_crew)) <= 5


@pytest.mark.parametrize("task", [1, 8, 64])
def test_threads_make_the_same_bytes_from_tasks_of_any_size(
    many, by_threads, monkeypatch, tmp_path, task
):
    monkeypatch.setattr(batches, "TASK", task)
    found = embed(scan(many), store=tmp_path / "s", workers=3, batch_size=64, **OPTIONS)
    assert contents(found) == by_threads


def test_images_in_tar_files_and_on_file_systems_of_fsspec_are_read_by_processes(
    data, by_crew, tmp_path
):
    expected = embed(data, **OPTIONS, store=tmp_path / "folder").features
    tar = tmp_path / "train.tar"
    with tarfile.open(tar, "w") as file:
        for path in sorted(data.rglob("*.png")):
            file.add(path, str(path.relative_to(data)))
    for number, dataset in enumerate((scan(tar), scan_remote(NamedDataset(f"file://{data}")))):
        found = embed(dataset, **OPTIONS, store=tmp_path / f"s{number}")
        assert found.unreadable == {}
        np.testing.assert_array_equal(found.features, expected)


def test_workers_that_are_killed_are_replaced(many, by_threads, by_crew, tmp_path):
    killed = []

    def kill(done, total):
        if done == 64 or done == 1024:
            for worker in workers_of(by_crew):
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)

    found = embed(
        scan(many), store=tmp_path / "s", workers=3, batch_size=64, listener=Told(embed=kill),
        **OPTIONS,
    )  # fmt: skip
    assert contents(found) == by_threads
    assert len(killed) >= 2


def test_an_image_is_not_blamed_for_workers_that_ended_while_they_were_idle(data, shared):
    paths = [data / "cat" / "0.png"]
    idle = [shared._hired(patiently=True) for _ in range(3)]
    for worker in idle:  # as if memory had run out
        worker._end.shutdown(socket.SHUT_RDWR)
    shared._idle.extend(idle)
    assert read(shared, paths, read_image).unreadable == {}
    shared._idle[:] = [worker for worker in shared._idle if worker not in idle]
    for worker in idle:
        worker.close()


def read(some, paths, reader):
    preprocessing = load_network(FeatureSpec("pixels"), device="cpu").preprocessing
    source = scan(paths[0].parents[1]).source
    return some.read(Task([*map(str, paths)], source, 0, Reading(reader, preprocessing, 10**6)))


def test_an_image_that_ends_its_process_twice_is_unreadable_and_the_others_are_read(data, shared):
    paths = [data / "cat" / f"{number}.png" for number in range(5)]
    paths[2] = paths[2].rename(data / "cat" / f"{deadly.MARK}.png")
    facts = read(shared, paths, deadly.read_or_die)
    assert facts.unreadable == {2: KILLED}
    assert facts.stats[:, 0].tolist() == [path.stat().st_size for path in paths]
    assert facts.digests.any(axis=1).tolist() == [True, True, False, True, True]
    assert shared.slab[[0, 1, 3, 4], 0, 0, 0].tolist() == [0, 51, 153, 255]
    # The second one, which the first try of all images does not reach, kills when it is alone.
    paths[3] = paths[3].rename(data / "cat" / f"{deadly.MARK}-too.png")
    assert read(shared, paths, deadly.read_or_die_once).unreadable == {}
    assert shared.slab[:5, 0, 0, 0].tolist() == [0, 51, 102, 153, 255]


def test_a_mistake_in_a_worker_ends_the_work_with_its_traceback(data, shared):
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: .*/cat/0\.png"):
        read(shared, [data / "cat" / "0.png"], deadly.read_wrongly)


def test_workers_need_no_helper_and_a_lost_one_is_replaced(many, by_threads, by_crew, tmp_path):
    old, had = by_crew._helper, workers_of(by_crew)
    os.kill(old._process.pid, signal.SIGKILL)
    store = {"workers": 2, "batch_size": 64, **OPTIONS}
    assert contents(embed(scan(many), store=tmp_path / "a", **store)) == by_threads
    for worker in had:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    assert contents(embed(scan(many), store=tmp_path / "b", **store)) == by_threads
    while worker := by_crew._free():
        worker.close()
    by_crew.wait()
    assert by_crew._helper is not old
    until(lambda: len(workers_of(by_crew)) == 1)  # those that were closed have ended


def test_a_helper_that_always_ends_is_given_up(data, monkeypatch, tmp_path):
    expected = contents(embed(data, store=tmp_path / "a", **OPTIONS))
    monkeypatch.setattr(helper, "PROGRAM", "raise SystemExit")
    some = Crew(batches.slab_rows(16, 2), 8)
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: some)
    until(lambda: some._helper._process.poll() is not None)
    found = embed(data, store=tmp_path / "b", workers=2, batch_size=16, **OPTIONS)
    assert contents(found) == expected
    with pytest.raises(DeviceError, match="end again and again"):
        some.wait()
    assert some._lost == crew.TRIES
    some.stop()


def test_nothing_is_left_of_a_crew_that_is_stopped(data, monkeypatch):
    some = Crew(64, 8)
    some.wait()
    processes = [some._helper._process.pid, *workers_of(some)]
    assert len(processes) == 2
    # Of a process with several threads, a fork may hold a lock that nobody releases.
    assert [len(os.listdir(f"/proc/{one}/task")) for one in processes] == [1, 1]
    some.stop()
    assert not any(map(runs, processes))
    with pytest.raises(Stopped):
        read(some, [data / "cat" / "0.png"], deadly.read_or_die)
    some.stop()


def test_a_crew_is_for_many_images_and_many_workers(data, monkeypatch):
    made = []

    def crew(*size):
        made.append(size)
        return SimpleNamespace(slab=private_slab(1, 8), stopped=False, wait=lambda: None)

    monkeypatch.setattr(local, "Crew", crew)
    for workers, images in ((4, 4096), (3, 4096), (4, 4095)):
        engine = local.LocalEngine.__new__(local.LocalEngine)
        engine.workers, engine._crew, engine._helper = workers, None, None
        engine._decoder, engine._pinned = None, contextlib.ExitStack()
        engine._device = torch.device("cpu")
        options = EmbedOptions(backbone="pixels", workers=workers)
        engine._may_hire = hiring.may_hire(options, on_gpu=False)
        engine.network = load_network(FeatureSpec("pixels"), device="cpu", batch_size=64)
        engine.prepare(images)
    assert made == [(batches.slab_rows(64, 4), 8, None)]


def test_a_helper_is_started_before_torch_is_loaded_here(data, monkeypatch):
    def early(workers, least):
        monkeypatch.setattr(hiring, "LEAST_IMAGES", least)
        options = EmbedOptions(backbone="pixels", workers=workers, device="cpu")
        return hiring.early_helper(Request.of(scan(data), options))

    for workers, least in ((3, 8), (4, 9)):
        with early(workers, least) as found:
            assert found is None
    with early(4, 8) as found:
        some = Crew(64, 8, found)
        some.wait()
        processes = [found._process.pid, *workers_of(some)]
        assert len(processes) == 2
        some.stop()
    with early(4, 8) as unused:
        processes.append(unused._process.pid)
    assert not any(map(runs, processes))


PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace
import deadly
from moderate_cli.embedding.engines import batches, helper, hiring, local
local.LEAST_IMAGES = hiring.LEAST_IMAGES = hiring.LEAST_WORKERS = 1
helper.Helper.ready = True  # so that no image is read by threads
batches.read_image = deadly.read_slowly
from moderate_cli.cli import main
main(sys.argv[1:])
"""


def marked(mark):
    """Return the processes with a variable of the environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and runs(entry.name):
            with contextlib.suppress(OSError):
                if f"MARK={mark}\0".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def start(many, store, mark, program=PROGRAM):
    """Embed in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, "embed", many, "--store", store, "-j", "3",
         "--backbone", "pixels", "--dtype", "float32", "--runtime", "torch", "--on-error", "skip"],
        stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"MARK": str(mark), "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def told_of(process):
    """Whether it says that it is interrupted; it says nothing else but how far it is."""
    said = process.communicate()[1].decode().splitlines()
    interrupted = [line for line in said if line.startswith("moderate: interrupted; ")]
    assert len(interrupted) <= 1
    assert {line for line in said if "images/s" not in line and ", for " not in line} <= set(
        interrupted
    )
    return bool(interrupted)


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_and_the_rerun_goes_on(many, by_threads, tmp_path, number):
    store = tmp_path / "s"
    process = start(many, store, tmp_path)
    partial = store / "pixels-float32-float32.partial"
    until(lambda: process.poll() is not None or lines(partial / "journal.jsonl") == 2)
    assert len(marked(tmp_path)) == 1 + 1 + 3  # itself, the helper, the workers
    for one in [process.pid] if number == signal.SIGKILL else marked(tmp_path):
        os.kill(one, number)
    assert told_of(process) == (number != signal.SIGKILL)
    assert process.returncode == -number
    until(lambda: not marked(tmp_path))
    moves = []
    again = embed(scan(many), store=store, listener=Told(embed=moves), **OPTIONS)
    assert 0 < moves[0][0] <= 2 * 1024  # a block, or pieces of it
    assert moves[0][1] == IMAGES + 2
    assert contents(again) == by_threads


def test_a_command_with_processes_makes_the_bytes_of_threads(many, by_threads, tmp_path):
    store = tmp_path / "s"
    program = PROGRAM.replace("deadly.read_slowly", "deadly.read_or_die")
    process = start(many, store, tmp_path, program)
    assert b"192 features each" in process.communicate()[1]
    assert process.returncode == 0
    assert contents(open_store(store / "pixels-float32-float32")) == by_threads
    until(lambda: not marked(tmp_path))


def test_ctrl_c_while_the_helper_is_loaded_is_one_line(many, tmp_path):
    program = PROGRAM.replace("helper.Helper.ready = True", "deadly.SLOW = 'class'")
    process = start(many, tmp_path / "s", tmp_path, program)
    until(lambda: process.poll() is not None or len(marked(tmp_path)) == 2)
    groups = [os.getpgid(one) for one in marked(tmp_path)]
    assert groups.count(process.pid) == 1  # the helper is in another: the terminal spares it
    os.killpg(process.pid, signal.SIGINT)
    assert told_of(process)
    assert process.returncode == -signal.SIGINT
    until(lambda: not marked(tmp_path))
