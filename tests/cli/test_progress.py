"""Progress on terminals and in logs."""

import io
import itertools
import re
import sys
import time
from pathlib import Path

import pytest
from terminals import on_a_terminal

import moderate_cli
from moderate_cli.cli import _run, console, progress
from moderate_cli.cli.listening import NAMES
from moderate_cli.cli.progress import Progress


@pytest.fixture(autouse=True)
def _shown(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


class Clock:
    """A clock that tests set."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(progress.time, "monotonic", found)
    monkeypatch.setattr(progress, "TICK", 3600.0)  # no beat comes between
    return found


def a_terminal(monkeypatch):
    stderr = io.StringIO()
    stderr.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("COLUMNS", "80")
    return stderr


def test_a_log_gets_a_line_after_ten_seconds_and_then_one_a_minute(clock, capsys):
    lines = Progress()
    with lines.phase("embed") as move:
        for second in range(0, 200):
            clock.now = 1000.0 + second
            move(20 * second, 10_000)
    assert capsys.readouterr().err == (
        "moderate: embed: 200 of 10000 images, 20 images/s, about 8 min 10 s left\n"
        "moderate: embed: 1400 of 10000 images, 20 images/s, about 7 min 10 s left\n"
        "moderate: embed: 2600 of 10000 images, 20 images/s, about 6 min 10 s left\n"
        "moderate: embed: 3800 of 10000 images, 20 images/s, about 5 min 10 s left\n"
    )


def test_a_training_is_told_in_percent(clock, capsys):
    with Progress().phase("training", unit="%") as move:
        for second in range(0, 20):
            clock.now = 1000.0 + second
            move(20 * second, 10_000)
    assert capsys.readouterr().err == "moderate: training: 2 %, about 8 min 10 s left\n"


def test_each_phase_says_what_is_being_done():
    sources = "".join(path.read_text() for path in Path(moderate_cli.__file__).parent.rglob("*.py"))
    names = set(re.findall(r'progress\("(\w[\w ]*)', sources))
    assert {"embed", "fit", "read"} <= names
    assert {name for name in names if "ing" not in NAMES.get(name, name).split()[0]} == set()
    assert NAMES.keys() <= names


def test_a_network_of_ones_own_shows_one_phase_after_another(data, monkeypatch):
    terminal = a_terminal(monkeypatch)
    assert _run(["embed", str(data), "--backbone", "fitted", "--runtime", "torch"]) == 0
    said = re.findall(r"\r?moderate: ([a-z][^\r\n.:]*)", terminal.getvalue())
    phases = [name for name, _ in itertools.groupby(said) if "ing" in name.split()[0]]
    order = ["reading images", "training", "computing features of fitted"]
    assert [name for name in phases if name in order] == order


def test_the_clock_of_a_log_goes_on_from_phase_to_phase(clock, capsys):
    lines = Progress()
    for number in range(30):
        with lines.phase(f"phase {number}", unit="step") as move:
            clock.now += 3
            move(1, 2)
    assert capsys.readouterr().err == (
        "moderate: phase 3: 1 of 2 steps\nmoderate: phase 23: 1 of 2 steps\n"
    )


def test_a_phase_that_does_not_move_is_told_of_too(monkeypatch, capsys):
    monkeypatch.setattr(progress, "TICK", 0.01)
    monkeypatch.setattr(progress, "FIRST_LINE", 0.05)
    with Progress().phase("loading resnet50"):
        time.sleep(0.5)
    assert capsys.readouterr().err == "moderate: loading resnet50, for 0 s\n"


def test_a_terminal_shows_at_once_what_is_done_and_removes_it(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    with Progress().phase("loading resnet50"):
        assert terminal.getvalue() == "\rmoderate: loading resnet50 ..."
    assert terminal.getvalue().endswith("\r" + " " * 30 + "\r")


def test_a_line_makes_room_for_a_message(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    with Progress().phase("loading resnet50"):
        console.warn("beware")
    assert terminal.getvalue().split("\r")[3].endswith("beware\n")


def test_short_work_shows_nothing(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    with Progress().phase("suspects", delay=2.0) as move:
        for done in range(1, 10):
            clock.now += 0.1
            move(done, 9)
    assert terminal.getvalue() == ""


def test_of_phases_in_each_other_the_inner_is_shown(clock, monkeypatch):
    terminal = a_terminal(monkeypatch)
    lines = Progress()
    with lines.phase("outer") as move:
        with lines.phase("inner", unit="step") as inner:
            inner(1, 2)
        assert "inner:  50%" in terminal.getvalue()
        move(1, 4)
    assert "outer:  25%" in terminal.getvalue()


def test_from_the_first_second_a_command_says_what_it_does(data, tmp_path):
    status, text = on_a_terminal("moderate embed data/train", tmp_path)
    assert status == 0
    said = [part for part in re.split("[\\r\\n]", text) if part.strip()]
    assert said[0] == "moderate: loading pixels ..."
    bars = [part for part in said if part.startswith("moderate: computing features of pixels: ")]
    assert "0/8" in bars[0]
    assert "8/8" in bars[-1]


def test_embed_says_how_many_images_it_embedded(data, moderate):
    first, again = moderate("embed", data).stderr, moderate("embed", data).stderr
    assert first.startswith("moderate: Embedded 8 images, 192 features each -> ")
    assert again.startswith("moderate: Nothing to embed: features of 8 images are up to date, 192")
    (data / "cat" / "0.png").write_bytes((data / "cat" / "1.png").read_bytes() + b"!")
    assert "moderate: Embedded 1 of 8 images, 192" in moderate("embed", data).stderr


def test_a_slow_load_shows_that_time_goes_on(data, tmp_path):
    code = """
import sys, time
from moderate_cli.embedding.engines import local
plain = local.load_network
local.load_network = lambda *args, **how: time.sleep(2.5) or plain(*args, **how)
sys.argv = ["moderate", "embed", "data/train"]
from moderate_cli.__main__ import main
main()
"""
    (tmp_path / "slow.py").write_text(code)
    status, text = on_a_terminal(f"{sys.executable} slow.py", tmp_path)
    assert status == 0
    assert "moderate: loading pixels ... 1 s" in text
    assert "moderate: loading pixels ... 2 s" in text


def test_progress_can_be_turned_off(clock, monkeypatch):
    stderr = a_terminal(monkeypatch)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    with Progress().phase("loading") as move:
        clock.now += 100
        move(1, 2)
    assert stderr.getvalue() == ""
