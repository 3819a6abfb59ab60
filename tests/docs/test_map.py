"""`moderate_cli/README.md`, the map of the code, names what there is, in the order of imports."""

import re

from test_imports import MODULES, PACKAGE, ROOMS, room_of

MAP = (PACKAGE / "README.md").read_text()
DATA = {"configs/", "docs/"}  # no Python in them


def named():
    """Files and folders in the list of the map, in its order."""
    rooms = MAP.partition("\n## ")[0]
    for line in rooms.splitlines():
        if line.startswith("- "):
            yield from re.findall(r"`([\w/]+(?:/|\.py))`", line.partition(":")[0])


def place_of(path):
    """A module at the root is named by its file, a room by its folder."""
    room = room_of(path)
    return f"{room}.py" if path.parent == PACKAGE else f"{room}/"


def test_every_room_and_root_module_stands_in_the_map():
    there = set(map(place_of, MODULES)) - {"__init__.py", "__main__.py"}
    assert there <= set(named())
    assert "`__init__.py`" in MAP
    assert "`__main__.py`" in MAP


def test_the_map_names_nothing_that_is_not_there():
    mentioned = set(re.findall(r"`((?:\w+/)*\w+(?:/|\.py))`", MAP))
    roots = (PACKAGE, PACKAGE.parent)
    assert {
        name for name in mentioned if not any((root / name).exists() for root in roots)
    } == set()


def test_a_room_comes_after_those_that_it_imports():
    order = [name.removesuffix("/").removesuffix(".py") for name in named()]
    for room, below in ROOMS.items():
        if room in order:
            assert below <= set(order[: order.index(room)]), room


def test_the_map_is_short():
    assert len(MAP.splitlines()) <= 70
