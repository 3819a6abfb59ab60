"""What only real processes show: pipes, signals, exit codes."""

import itertools
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import paint

from moderate_cli import cli

KEPT = "cat/0.png\ncat/1.png\ndog/0.png\nowl/0.png\n"
ENVIRONMENT = os.environ | {
    "MODERATE_BACKBONE": "pixels", "MODERATE_DTYPE": "float32", "MODERATE_RUNTIME": "torch"
}  # fmt: skip


@pytest.fixture(autouse=True)
def _requirements(shell):
    assert shell("command -v tar rsync make xargs").status == 0, "apt install rsync make"


def test_lines_can_be_counted(embedded, shell):
    assert shell("moderate select -r 0.5 data/train 2>/dev/null | wc -l").stdout.strip() == "4"


def test_a_closed_pipe_is_silent(embedded, shell):
    for number in range(3000):  # more than a pipe holds
        paint(embedded / "cat" / f"{'x' * 50}{number}.png", 77)
    assert shell("moderate embed data/train").status == 0
    done = shell("moderate select -r 1 data/train 2>err | head -1; echo ${PIPESTATUS[0]}; cat err")
    assert done.stdout == f"cat/0.png\n{128 + signal.SIGPIPE}\n"
    done = shell(
        "moderate score data/train 2>err | head -1 | wc -l; echo ${PIPESTATUS[0]}; cat err"
    )
    assert done.stdout == f"1\n{128 + signal.SIGPIPE}\n"


def test_tar_and_rsync_take_the_list(embedded, shell):
    shell("moderate select -r 0.5 data/train -o kept.txt")
    done = shell("tar -C data/train -cf - -T kept.txt | tar -tf -")
    assert done.stdout == KEPT
    assert shell("rsync -a --files-from=kept.txt data/train/ out/").status == 0
    assert shell("cd out && find . -name '*.png' | sort | cut -c 3-").stdout == KEPT


def test_odd_names_go_through_nul_pipes(data, shell, tmp_path):
    odd = os.fsdecode(b"- \n'\"\xff.png")
    paint(data / "cat" / odd, 9)
    done = shell("moderate select -r 1 -0 data/train | (cd data/train && xargs -0 cat -- | wc -c)")
    size = sum(os.path.getsize(f"{root}/{n}") for root, _, names in os.walk(data) for n in names)
    assert (done.status, done.stdout.strip()) == (0, str(size))
    done = shell("moderate select -r 1 -0 data/train | tar -C data/train --null -T - -cf /dev/null")
    assert done.status == 0


def test_a_full_disk_is_one_line_and_exit_1(embedded, shell):
    commands = ("select -r 1", "score", "info", "select -r 1 --dry-run", "--help")
    for command, buffering in itertools.product(commands, ("", "1")):
        line = f"PYTHONUNBUFFERED={buffering} moderate {command} data/train > /dev/full"
        assert shell(line) == (1, "", "moderate: stdout: No space left on device\n"), line


def test_a_limit_on_file_size_is_one_line_and_what_was_there_stays(data, shell, tmp_path):
    for image in range(100):
        paint(data / "cat" / f"x{image}.png", image)
    (tmp_path / "kept.txt").write_text("old")
    done = shell("ulimit -f 20; moderate select -r 1 data/train -o kept.txt")
    folder = "data/train.moderate/pixels-float32-float32.partial"
    assert done == (
        1,
        "",
        f"moderate: {tmp_path}/{folder}: cannot be written (File too large)\n",
    )
    assert shell("moderate select -r 1 data/train -o kept.csv").status == 0
    done = shell("ulimit -f 1; moderate select -r 1 data/train -o kept.txt")
    assert done == (1, "", "moderate: kept.txt: cannot be written (File too large)\n")
    assert (tmp_path / "kept.txt").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["data", "kept.csv", "kept.txt"]


def test_exit_codes(embedded, shell):
    assert shell("moderate select -r 0.5 data/train").status == 0
    assert shell("moderate select -r 0.5 nowhere") == (
        1,
        "",
        "moderate: nowhere: No such file or directory; name a dataset folder\n",
    )
    assert shell("moderate select -r 7 data/train").status == 2
    assert shell("moderate sellect data/train").status == 2
    assert shell("moderate").status == 2


def test_the_module_runs_too(embedded, shell):
    done = shell(f"{sys.executable} -m moderate_cli --version")
    assert done.stdout.startswith("moderate 0.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("sign", ["moderate.lock", "pixels-float32-float32.partial"])
def test_a_signal_kills_as_a_signal_and_the_rerun_finishes(data, shell, tmp_path, number, sign):
    for image in range(4000):
        paint(data / "cat" / f"x{image}.png", image % 256)
    process = subprocess.Popen(
        [sys.executable, "-m", "moderate_cli", "select", "-r", "0.5", "data/train",
         "-o", "kept.txt"],
        cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (data.parent / "train.moderate" / sign).exists():
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(number)
    error = process.communicate()[1]
    assert process.returncode == -number
    assert error.strip() == ""
    assert not [name for name in os.listdir(tmp_path) if name != "data"]
    assert shell("moderate select -r 0.5 data/train -o kept.txt").status == 0
    assert len((tmp_path / "kept.txt").read_text().splitlines()) == 2004
    assert sorted(os.listdir(data.parent / "train.moderate")) == [
        "moderate.lock",
        "pixels-float32-float32",
    ]


def copied(folder, before):
    """Count the images in all that is new in a folder."""
    new = set(os.listdir(folder)) - set(before)
    return sum(len(names) for name in new for _, _, names in os.walk(folder / name))


def test_an_interrupted_copy_leaves_nothing(embedded, shell, tmp_path):
    for image in range(3000):
        paint(embedded / "cat" / f"x{image}.png", image % 256)
    shell("moderate embed data/train")
    before = sorted(os.listdir(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-m", "moderate_cli", "select", "-r", "1", "data/train",
         "--copy-to", "out"],
        cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and copied(tmp_path, before) < 500:
        time.sleep(0.001)
    # Stopped, it can be looked at in the middle of its work; the signal waits for it to go on.
    process.send_signal(signal.SIGSTOP)
    assert 500 <= copied(tmp_path, before) < 3008, "it was done before it could be interrupted"
    assert not (tmp_path / "out").exists()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    assert process.communicate() == (None, "")
    assert process.returncode == -signal.SIGINT
    assert sorted(os.listdir(tmp_path)) == before
    assert shell("moderate select -r 1 data/train --copy-to out").status == 0
    assert sorted(os.listdir(tmp_path)) == [*before, "out"]


def test_a_signal_that_is_swallowed_interrupts_a_moment_later(monkeypatch):
    signals = cli._Signals()
    monkeypatch.setattr(sys, "unraisablehook", signals.try_again)
    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGTERM, signals.arrive), (signal.SIGALRM, signals.interrupt)
        )
    }  # fmt: skip

    class Odd:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def run():
        Odd()
        time.sleep(5)

    start = time.monotonic()
    try:
        with pytest.raises(cli.Terminated):
            run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert time.monotonic() - start < 3
    assert signals.received == [signal.SIGTERM]
