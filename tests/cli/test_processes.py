"""Pipes, signals and exit codes, with real processes."""

import itertools
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from conftest import LEVELS, paint

from moderate_cli import cli

ENTRY = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
    "scripts"
]["moderate"]
ALL = "".join(f"{name}/{n}.png\n" for name, levels in LEVELS.items() for n in range(len(levels)))
KEPT = "cat/1.png\ncat/3.png\ndog/0.png\nowl/0.png\n"
ENVIRONMENT = os.environ | {
    "MODERATE_BACKBONE": "pixels", "MODERATE_DTYPE": "float32", "MODERATE_RUNTIME": "torch"
}  # fmt: skip


def test_lines_can_be_counted(embedded, shell):
    assert shell("moderate select -r 0.5 data/train 2>/dev/null | wc -l").stdout.strip() == "4"


def test_a_closed_pipe_is_silent(embedded, shell):
    for number in range(3000):  # more than a pipe holds
        paint(embedded / "cat" / f"{'x' * 50}{number}.png", number % 256)
    assert shell("moderate embed data/train").status == 0
    done = shell("moderate select -r 1 data/train 2>err | head -1; echo ${PIPESTATUS[0]}; cat err")
    assert done.stdout == f"cat/0.png\n{128 + signal.SIGPIPE}\n"
    done = shell(
        "moderate score data/train 2>err | head -1 | wc -l; echo ${PIPESTATUS[0]}; cat err"
    )
    assert done.stdout == f"1\n{128 + signal.SIGPIPE}\n"


def test_a_process_that_no_signal_ends_has_the_status_of_one():
    """As the first process of a container, which the system spares."""
    code = "import os; os.kill = print; from moderate_cli.platforms import die_by; die_by(15)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 128 + 15


@pytest.mark.program("rsync", "tar")
def test_tar_and_rsync_take_the_list(embedded, shell):
    shell("moderate select -r 0.5 data/train -o kept.txt")
    done = shell("tar -C data/train -cf - -T kept.txt | tar -tf -")
    assert done.stdout == KEPT
    assert shell("rsync -a --files-from=kept.txt data/train/ out/").status == 0
    assert shell("cd out && find . -name '*.png' | sort | cut -c 3-").stdout == KEPT


@pytest.mark.program("tar", "xargs")
def test_odd_names_go_through_nul_pipes(data, shell, tmp_path):
    odd = os.fsdecode(b"- \n'\"\xff.png")
    paint(data / "cat" / odd, 9)
    done = shell("moderate select -r 1 -0 data/train | (cd data/train && xargs -0 cat -- | wc -c)")
    size = sum(os.path.getsize(f"{root}/{n}") for root, _, names in os.walk(data) for n in names)
    assert (done.status, done.stdout.strip()) == (0, str(size))
    done = shell("moderate select -r 1 -0 data/train | tar -C data/train --null -T - -cf /dev/null")
    assert done.status == 0


def test_a_full_disk_is_one_line_and_exit_1(embedded, shell):
    commands = ("select -r 1", "score", "info", "select -r 1 --counts", "--help")
    for command, buffering in itertools.product(commands, ("", "1")):
        line = f"PYTHONUNBUFFERED={buffering} moderate {command} data/train > /dev/full"
        assert shell(line) == (1, "", "moderate: error: stdout: No space left on device\n"), line


def test_a_limit_on_file_size_is_one_line_and_the_old_file_stays(data, shell, tmp_path):
    for image in range(100):
        paint(data / "cat" / f"x{image}.png", image)
    (tmp_path / "kept.txt").write_text("old")
    done = shell("ulimit -f 20; moderate select -r 1 data/train -o kept.txt")
    folder = "data/train.moderate/pixels-float32-float32.partial"
    assert done == (
        1,
        "",
        f"moderate: error: {tmp_path}/{folder}: cannot be written (File too large)\n",
    )
    assert shell("moderate select -r 1 data/train -o kept.csv").status == 0
    done = shell("ulimit -f 1; moderate select -r 1 data/train -o kept.txt")
    assert done == (1, "", "moderate: error: kept.txt: cannot be written (File too large)\n")
    assert (tmp_path / "kept.txt").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["data", "kept.csv", "kept.txt"]


CLOSED = "moderate: error: stdout: is closed; send it to a file, or to /dev/null\n"


def test_data_for_a_closed_stdout_is_one_line_and_exit_1(embedded, shell):
    for command in ("select -r 1 data/train", "score data/train", "--help", "--version"):
        assert shell(f"moderate {command} >&-") == (1, "", CLOSED), command
        assert shell(f"moderate {command} >&- 2>&-") == (1, "", ""), command


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_output_to_a_file_needs_no_streams(embedded, shell, tmp_path, closed):
    said = (
        "moderate: no near duplicates\nmoderate: Kept 8 of 8 images in 3 classes (100 % of the 8;"
        " 0 dropped first) with moderate -> kept.txt\n"
    )
    note = "" if "2>&-" in closed else said
    line = "moderate select -r 1 --dedup 1 data/train -o kept.txt"
    assert shell(f"{line} {closed}") == (0, "", note)
    assert (tmp_path / "kept.txt").read_text() == ALL


def test_no_file_takes_the_number_of_a_stream_that_is_closed(embedded, shell, tmp_path):
    # Otherwise messages for the user would go into it.
    assert shell("moderate embed data/train --store other <&- >&- 2>&-") == (0, "", "")
    found, expected = (
        {path.name: path.read_bytes() for path in sorted(root.glob("pixels-*/*"))}
        for root in (tmp_path / "other", tmp_path / "data" / "train.moderate")
    )
    assert found.pop("dataset.txt") != expected.pop("dataset.txt")
    assert expected == found


@pytest.mark.parametrize("lost", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_messages_that_cannot_be_written_are_lost_and_the_status_is_that_of_the_work(
    embedded, shell, lost
):
    select = "moderate select -r 1 --dedup 1 data/train"
    assert shell(f"{select} {lost}") == (0, ALL, "")
    assert shell(f"moderate select -r 0.5 nowhere {lost}") == (1, "", "")
    assert shell(f"moderate sellect {lost}") == (2, "", "")
    assert shell(f"moderate {lost}") == (2, "", "")


def test_a_closed_pipe_for_messages_leaves_the_status(embedded, shell):
    line = "(sleep 0.5; moderate select -r 0.5 nowhere) 2>&1 >/dev/null | true"
    assert shell(f"{line}; echo ${{PIPESTATUS[0]}}") == (0, "1\n", "")


def test_help_into_a_closed_pipe_is_silent_and_dies_by_the_signal(shell):
    for command in ("--help", "--version", "select --help"):
        line = f"(sleep 0.5; moderate {command}) | true; echo ${{PIPESTATUS[0]}}"
        assert shell(line) == (0, f"{128 + signal.SIGPIPE}\n", ""), command


def test_exit_codes(embedded, shell):
    assert shell("moderate select -r 0.5 data/train").status == 0
    assert shell("moderate select -r 0.5 nowhere") == (
        1,
        "",
        "moderate: error: nowhere: No such file or directory; name a dataset folder\n",
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
    last = error.splitlines()[-1]
    assert re.fullmatch(r"moderate: interrupted; .* kept; run again to continue", last)
    assert not [name for name in os.listdir(tmp_path) if name != "data"]
    assert shell("moderate select -r 0.5 data/train -o kept.txt").status == 0
    assert len((tmp_path / "kept.txt").read_text().splitlines()) == 2004
    assert sorted(os.listdir(data.parent / "train.moderate")) == [
        "moderate.lock",
        "pixels-float32-float32",
    ]


def test_ctrl_c_while_the_command_line_is_loaded_is_silent(tmp_path):
    # Python itself takes a moment before; there it is as of any Python program.
    (tmp_path / "click.py").write_text(
        "import pathlib, time; pathlib.Path('loading').touch(); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(cli.__file__).parents[2]}"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {ENTRY.replace(':', ' import ')}; main()"],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "loading").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert (process.communicate()[1], process.returncode) == ("", -signal.SIGINT)


def test_a_command_that_embedded_ends_soon(data, tmp_path):
    code = """
import os, sys, time
from moderate_cli.__main__ import main
way, exit = sys.argv.pop(1), os._exit

def end(status):
    print(time.process_time(), flush=True)
    if way == "soon":
        exit(status)

os._exit = end
main()
"""
    environment = os.environ | {"MODERATE_BACKBONE": "pixels", "MODERATE_RUNTIME": "torch"}
    spent = {}
    for way in ("soon", "slow"):
        before = sum(os.times()[2:4])
        done = subprocess.run(
            [sys.executable, "-c", code, way, "embed", data, "--store", tmp_path / way],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        spent[way] = sum(os.times()[2:4]) - before - float(done.stdout)
    assert spent["soon"] < spent["slow"] / 2, spent


def test_an_unexpected_error_keeps_its_traceback(shell):
    code = "from moderate_cli import cli; cli._invoke = lambda _: 1 / 0; cli.main([])"
    done = shell(f"{sys.executable} -c '{code}'")
    lines = done.stderr.splitlines()
    assert (done.status, done.stdout, lines[0]) == (1, "", "Traceback (most recent call last):")
    assert lines[-2:] == [
        "ZeroDivisionError: division by zero",
        "moderate: error: unexpected error; please report it, with the lines above",
    ]
    assert shell(f"{sys.executable} -c '{code}' 2>/dev/full") == (1, "", "")


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
    assert process.communicate()[1].splitlines()[-1].startswith("moderate: interrupted; ")
    assert process.returncode == -signal.SIGINT
    assert sorted(os.listdir(tmp_path)) == before
    assert shell("moderate select -r 1 data/train --copy-to out").status == 0
    assert sorted(os.listdir(tmp_path)) == [*before, "out"]


def test_a_signal_that_is_swallowed_interrupts_a_moment_later(monkeypatch):
    signals = cli.Signals()
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
