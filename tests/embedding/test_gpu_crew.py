"""Processes that read files for a GPU: the same bytes as threads, whatever is killed."""

import os
import signal

import deadly
import numpy as np
import pytest
from decoders import stand_in
from listeners import Told
from PIL import Image
from processes import children, contents

from moderate_cli import embed
from moderate_cli.dataset import scan
from moderate_cli.embedding.engines import batches, local
from moderate_cli.embedding.engines.batches import slab_rows
from moderate_cli.embedding.engines.crew import KILLED, Crew
from moderate_cli.embedding.engines.packing import rows_each
from moderate_cli.networks.table import Preprocessing

OPTIONS = {
    "backbone": "pixels", "dtype": "float32", "runtime": "torch", "decode": "gpu",
    "on_error": "skip", "batch_size": 16,
}  # fmt: skip
HOW = Preprocessing(8, 8, "bilinear", (0.0,) * 3, (1.0,) * 3, "gpu")
WORKERS, IMAGES = 3, 120


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """JPEGs, some of them larger than their room, PNGs, and files that are no pictures."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos") / "train"
    for label in "ab":
        (root / label).mkdir(parents=True)
    for number in range(IMAGES):
        size = 500 if number % 40 == 7 else 30
        noise = rng.integers(0, 256, (size, size + number % 3, 3), dtype=np.uint8)
        name = f"{number:03}.{'png' if number % 10 == 3 else 'jpg'}"
        Image.fromarray(noise).save(root / "ab"[number % 2] / name, quality=100)
    (root / "a" / "bad.jpg").write_bytes(b"no picture")
    (root / "b" / "gone.jpg").symlink_to("nowhere")
    return root


@pytest.fixture(scope="module")
def shared():
    """A crew whose helper has loaded torch."""
    crew = Crew(slab_rows(16, WORKERS, rows_each(HOW)), 8)
    crew.wait()
    yield crew
    crew.stop()


@pytest.fixture
def decoder(monkeypatch):
    return stand_in(monkeypatch)


@pytest.fixture
def by_crew(shared, monkeypatch):
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: shared)
    return shared


def embedded(photos, store, **more):
    return embed(scan(photos), store=store, **OPTIONS, **more)


@pytest.mark.parametrize("task", [1, 8, 32])
def test_a_set_has_the_bytes_that_threads_make(
    photos, decoder, by_crew, monkeypatch, tmp_path, task
):
    monkeypatch.setattr(batches, "TASK", task)
    found = embedded(photos, tmp_path / "crew", workers=WORKERS)
    assert children(by_crew._helper._process.pid)
    decoded = decoder.decoded
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: None)
    assert contents(found) == contents(embedded(photos, tmp_path / "threads", workers=2))
    assert decoded == decoder.decoded - decoded == IMAGES - 12
    assert sorted(found.unreadable.values())[0] == "No such file or directory"
    assert len(found.unreadable) == 2


def test_workers_that_are_killed_are_replaced(photos, decoder, by_crew, monkeypatch, tmp_path):
    killed = []

    def kill(done, _total):
        if done == 32:
            for worker in children(by_crew._helper._process.pid):
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)

    found = embedded(photos, tmp_path / "crew", workers=WORKERS, listener=Told(embed=kill))
    assert killed
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: None)
    assert contents(found) == contents(embedded(photos, tmp_path / "threads"))


def test_an_image_that_ends_its_process_twice_is_unreadable(
    photos, decoder, by_crew, monkeypatch, tmp_path
):
    monkeypatch.setattr(batches, "read_file", deadly.read_file_or_die)
    marked = photos / "a" / f"{deadly.MARK}.jpg"
    marked.write_bytes((photos / "a" / "000.jpg").read_bytes())
    try:
        found = embedded(photos, tmp_path / "s", workers=WORKERS)
    finally:
        marked.unlink()
    assert list(found.unreadable.values()).count(KILLED) == 1
    assert len(found.unreadable) == 3
    assert np.count_nonzero(np.isfinite(found.features).all(axis=1)) == IMAGES


def test_an_interrupted_run_stops_its_processes_and_the_rerun_goes_on(
    photos, decoder, monkeypatch, tmp_path
):
    crew = Crew(slab_rows(16, WORKERS, rows_each(HOW)), 8)
    crew.wait()
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: crew)

    def stop(done, _total):
        if done >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedded(photos, tmp_path / "s", workers=WORKERS, listener=Told(embed=stop))
    assert crew.stopped
    monkeypatch.setattr(local.LocalEngine, "_crew_for", lambda *_: None)
    again = embedded(photos, tmp_path / "s")
    assert contents(again) == contents(embedded(photos, tmp_path / "whole"))


def test_a_gpu_that_decodes_has_a_crew_with_room_for_files(photos, decoder, monkeypatch, tmp_path):
    made = []

    def crew(*size):
        made.append(size)
        raise OSError  # so that threads read

    monkeypatch.setattr(local, "Crew", crew)
    monkeypatch.setattr(local, "LEAST_IMAGES", IMAGES)
    embedded(photos, tmp_path / "s", workers=4)
    assert made == [(slab_rows(16, 4) * rows_each(HOW), 8, None)]
    assert rows_each(HOW) == 1 + 683  # 128 KB in rows of 192 bytes
