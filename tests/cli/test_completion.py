"""Completion of values, as a shell asks for it."""

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def complete(shell):
    def ask(line):
        words = line.split(" ")
        variables = f"COMP_WORDS='{line}' COMP_CWORD={len(words) - 1}"
        done = shell(f"{variables} _MODERATE_COMPLETE=bash_complete moderate")
        assert (done.status, done.stderr) == (0, "")
        return [one.partition(",")[2] for one in done.stdout.splitlines() if one]

    return ask


def test_presets_complete_beside_files(complete):
    assert complete("moderate select --config noi") == ["noisy-labels", "noi"]


@pytest.mark.parametrize("command", ["select", "evaluate", "report", "suspects", "score"])
def test_labels_complete_as_files(complete, command):
    assert complete(f"moderate {command} --labels corr") == ["corr"]


def test_strategies_complete_one_after_another(complete):
    assert complete("moderate select --strategy herd") == ["herding"]
    assert complete("moderate evaluate --strategy easy,ha") == ["easy,hard"]
    assert complete("moderate evaluate --strategy easy,e") == []


def test_columns_and_splits_of_data_complete(complete, tmp_path):
    (tmp_path / "train.csv").write_text("image_id,breed,band\n1,x,y\n")
    assert complete("moderate select train.csv --label-column b") == ["breed", "band"]
    for name in ("train", "trial", "val"):
        (tmp_path / "data" / name).mkdir(parents=True)
    assert complete("moderate select data --split tr") == ["train", "trial"]
    assert complete("moderate select missing --split tr") == []


class Bash:
    """An interactive bash on a terminal of its own, with completion."""

    def __init__(self, folder):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = os.environ | {"PATH": path, "PS1": "$ ", "TERM": "dumb", "INPUTRC": "/dev/null"}
        self._terminal, other = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=folder, env=own, stdin=other, stdout=other, stderr=other, start_new_session=True,
        )  # fmt: skip
        os.close(other)
        self._type('eval "$(_MODERATE_COMPLETE=bash_source moderate)"; echo re""ady\n', "ready")

    def words(self, line, last):
        """Return the words of a line after Tab, which completes it to a last one."""
        self._type(f"{line}\t", last)
        text = self._type("\x01printf '<%s>' \n", "<moderate>.*>")  # before the line, and run
        return re.findall("<([^>%]*)>", text)

    def _type(self, keys, answer):
        os.write(self._terminal, keys.encode())
        text, until = "", time.monotonic() + 120
        while not re.search(answer, text):
            assert time.monotonic() < until, text
            text += os.read(self._terminal, 65536).decode()
        return text

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.mark.parametrize("breaks", [True, False])
def test_bash_completes_behind_a_colon(tmp_path, breaks):
    bash = Bash(tmp_path)
    try:
        if not breaks:
            bash._type("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}; echo broken\n", "\nbroken")
        line = "moderate embed data --backbone timm:test_efficientnet_g"
        assert bash.words(line, "_gn ") == [
            "moderate", "embed", "data", "--backbone", "timm:test_efficientnet_gn"
        ]  # fmt: skip
        line = "moderate evaluate --strategy moderate:0.25,herd"
        assert bash.words(line, "herding ")[-1] == "moderate:0.25,herding"
    finally:
        bash.close()
