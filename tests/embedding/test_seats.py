"""Large pictures take turns across processes."""

import os
import time
from pathlib import Path

import pytest
from faults.forking import context

from moderate_cli.embedding.engines.seats import SEATS, sit_among
from moderate_cli.images import memory
from moderate_cli.images.memory import LARGE, ROOM, room_for, share_room

MOMENT, PATIENCE = 0.3, 60  # seconds


def sit(folder, number, pixels):
    """Decode a picture for as long as a file is there, in a process."""
    share_room(sit_among(os.open(folder / "seats", os.O_RDWR)))
    (folder / f"came{number}").touch()
    with room_for(pixels):
        (folder / f"sits{number}").touch()
        while not (folder / f"leave{number}").exists():
            time.sleep(0.005)


@pytest.fixture
def sitting(tmp_path):
    """Start a process that takes seats; return it, and what says whether it has them in time."""
    (tmp_path / "seats").touch()
    processes = []

    def start(pixels):
        number = len(processes)
        process = context.Process(target=sit, args=(tmp_path, number, pixels))
        processes.append(process)
        process.start()
        assert appears(tmp_path / f"came{number}", PATIENCE)
        return process, lambda seconds: appears(tmp_path / f"sits{number}", seconds)

    yield start
    for number, process in enumerate(processes):
        (tmp_path / f"leave{number}").touch()
        process.join()


def appears(path: Path, seconds):
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.005)
    return path.exists()


def test_a_picture_waits_until_the_processes_of_others_leave_room(sitting, tmp_path):
    _, first = sitting((SEATS - 1) * LARGE)
    assert first(PATIENCE)
    _, second = sitting(LARGE + 1)
    assert not second(MOMENT)
    (tmp_path / "leave0").touch()
    assert second(PATIENCE)


def test_small_pictures_never_wait(sitting):
    _, huge = sitting(100 * ROOM)
    assert huge(PATIENCE)
    _, small = sitting(LARGE)
    assert small(PATIENCE)


def test_a_process_that_is_killed_leaves_its_seats(sitting):
    first, sits = sitting(ROOM)
    assert sits(PATIENCE)
    first.kill()
    _, second = sitting(ROOM)
    assert second(PATIENCE)


def test_a_process_alone_needs_no_seats():
    assert memory._beside is memory._alone
