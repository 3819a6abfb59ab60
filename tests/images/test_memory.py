"""How many large pictures are decoded at once."""

import threading

import pytest

from moderate_cli.images.memory import LARGE, ROOM, room_for, tried_twice

MOMENT = 0.2  # seconds


def entering(pixels):
    """Wait for room in a thread; return an event of its arrival, and a function to release it."""
    entered, leave = threading.Event(), threading.Event()

    def enter():
        with room_for(pixels):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=enter)
    thread.start()

    def end():
        leave.set()
        thread.join()

    return entered, end


def test_large_pictures_wait_until_there_is_room_for_them():
    first, end_first = entering(ROOM - LARGE)
    second, end_second = entering(LARGE + 1)
    assert first.wait(30)
    assert not second.wait(MOMENT)
    end_first()
    assert second.wait(30)
    end_second()


def test_small_pictures_never_wait_and_one_of_any_size_has_its_turn():
    huge, end_huge = entering(100 * ROOM)
    assert huge.wait(30)
    small, end_small = entering(LARGE)
    assert small.wait(30)
    end_small()
    end_huge()


def test_room_is_given_back_after_an_error():
    for _ in range(2):
        with pytest.raises(ValueError, match="torn"), room_for(ROOM):
            raise ValueError("torn")


def test_what_lacks_memory_is_tried_again_alone():
    asked = []

    def work(least_room):
        asked.append(least_room)
        if not least_room:
            raise MemoryError
        return "done"

    assert (tried_twice(work), asked) == ("done", [0, ROOM])


def test_what_lacks_memory_alone_fails():
    def work(_least_room):
        raise MemoryError

    with pytest.raises(MemoryError):
        tried_twice(work)
