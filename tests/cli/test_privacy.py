"""No command calls anybody, copies itself, or writes where nobody told it to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import paint

# Python runs this first in each process, and logs the events of all of them.
WATCH = """
import json, os, sys

CALLS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
COPIES = ("os.fork", "os.forkpty")
STARTS = ("os.exec", "os.posix_spawn", "os.system", "subprocess.Popen")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
log = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND)

def watch(event, args):
    if event in CALLS + COPIES + STARTS + ("command",):
        what = str(args)
    elif event == "open" and args[2] & WRITING and not isinstance(args[0], int):
        what = os.path.abspath(os.fsdecode(args[0]))
    else:
        return
    os.write(log, (json.dumps([event, what]) + "\\n").encode())

sys.addaudithook(watch)
"""
# torch, as it is built for GPUs, asks the system where a library is.
HARMLESS = "('/sbin/ldconfig', ['/sbin/ldconfig', '-p']"


@pytest.fixture
def watched(tmp_path):
    """Run a command as outside of continuous integration, and list its events."""
    folders = {name: tmp_path / name for name in ("watch", "home", "temporary")}
    for folder in folders.values():
        folder.mkdir()
    (folders["watch"] / "sitecustomize.py").write_text(WATCH)
    log = folders["watch"] / "log"
    log.touch()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "CI" and not name.startswith(("XDG_", "TORCH", "RAY_", "MODERATE_"))
    } | {
        "HOME": str(folders["home"]),
        "TMPDIR": str(folders["temporary"]),
        "PYTHONPATH": f"{folders['watch']}:{Path(__import__('moderate_cli').__file__).parents[1]}",
        "WATCHED": str(log),
    }

    def run(*command, **variables):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path, env=environment | variables, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [tuple(json.loads(line)) for line in log.read_text().splitlines()]

    return run


def strange(events, tmp_path):
    """Return the events outside of the test's folder."""
    own = (f"{tmp_path}/", "/dev/")
    return [
        (event, what)
        for event, what in events
        if not (event == "open" and what.startswith(own)) and HARMLESS not in what
    ]


# All in one process, which loads torch once. An event of its own says which command the next ones
# are of.
COMMANDS = """
import sys
from moderate_cli.cli import _run
for line in sys.argv[1:]:
    sys.audit("command", line)
    assert _run(line.split()) == 0, line
"""


def test_strange_events_are_noticed(watched, tmp_path):
    code = """
import os, socket
os.fork() or os._exit(0)
socket.socket().connect_ex(("127.0.0.1", 9))
open("/var/tmp/../tmp/moderate-test", "w").close()
os.unlink("/var/tmp/moderate-test")
"""
    events = [event for event, _ in strange(watched("-c", code), tmp_path)]
    assert events == ["os.fork", "socket.connect", "open"]


def test_no_command_calls_anybody_or_leaves_anything(data, watched, tmp_path):
    for level in range(20):
        paint(data / "owl" / f"x{level}.png", level)
        paint(data / "dog" / f"x{level}.png", 100 + level)
    events = watched(
        "-c",
        COMMANDS,
        "embed --runtime openvino data/train",
        "select -r 0.5 --backbone pixels data/train --copy-to out",
        "score --backbone pixels data/train -o scores.csv",
        "report --backbone pixels data/train -o page.html --png plots",
        "suspects --backbone pixels data/train",
        "duplicates --backbone pixels data/train",
        "evaluate --backbone pixels data/train --seeds 1 -r 0.5 --with train --steps 2 -o c.png",
        "perturb data/train -o ruined --corrupt 1 --label-noise 0.2",
        "info data/train",
    )
    found = strange(events, tmp_path)
    assert [event for event, _ in found] == ["command"] * 9, found
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    folder = tmp_path / "home/.cache/moderate/openvino"  # `moderate help files` names it
    assert [path.parent for path in kept] == [folder]
    # torch makes an empty folder for compiled code.
    assert {name.split("_")[0] for name in os.listdir(tmp_path / "temporary")} <= {"torchinductor"}


def test_a_cluster_of_this_machine_asks_no_cloud_and_leaves_nothing(data, watched, tmp_path):
    # Ray has its sockets in the folder for temporary files, whose names must be short.
    line = "embed --engine ray --backbone pixels data/train"
    events = watched("-m", "moderate_cli", *line.split(), TMPDIR="/tmp")
    asked = [what for _, what in events if "169.254" in what or "metadata" in what]
    assert asked == []
    assert os.listdir(tmp_path / "home") == []
