"""Windows and macOS lack parts of Linux; `elsewhere.py` takes them away."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import draw, paint
from elsewhere import ABSENT, MODULES

PACKAGE = Path(__import__("moderate_cli").__file__).parent
ELSEWHERE = Path(__file__).parent / "elsewhere.py"
# Used only where there is shared memory without a name (`HAS_SHARED`): on Linux.
OF_LINUX = {
    "embedding/engines/helper.py",
    "embedding/engines/seats.py",
    "embedding/engines/serving.py",
    "embedding/engines/slabs.py",
}
# Modules that look before they use something: `hasattr`, or the error that it is missing.
LOOKING = {
    "platforms.py",
    "arrays.py",
    "threads.py",
    "files/regular.py",
    "fitting/examples.py",
    "images/quiet.py",
}
OPTIONS = {"MODERATE_BACKBONE": "pixels", "MODERATE_DTYPE": "float32", "MODERATE_RUNTIME": "torch"}
INTERRUPTED = """
import os, sys
import elsewhere
os.chdir(sys.argv[2])
elsewhere.become(sys.argv[1])

from moderate_cli import embed
from moderate_cli.embedding.engines import batches
from moderate_cli.store import blocks, journal

blocks.BLOCK_ROWS = 2
read, added = batches.read_image, []

def add(self, block, unreadable, piece=None, really=journal.Journal.add):
    really(self, block, unreadable, piece)
    added.append(block)
    if len(added) == 4:
        raise KeyboardInterrupt

journal.Journal.add = add
try:
    embed("train", runtime="torch", backbone="pixels", dtype="float32")
except KeyboardInterrupt:
    print(*sorted(os.listdir("train.moderate")))
count = []
batches.read_image = lambda *args: count.append(args) or read(*args)
print(len(embed("train", runtime="torch", backbone="pixels", dtype="float32")), len(count))
"""


@pytest.fixture
def train(tmp_path):
    """Four classes of five pictures, and an unreadable one."""
    for label, name in enumerate("abcd"):
        for image in range(5):
            draw(tmp_path / "train" / name / f"{image}.png", label, image)
    (tmp_path / "train" / "a" / "bad.png").write_bytes(b"no image")
    return tmp_path / "train"


def run(folder, *args):
    """Run a script of Python; return stdout and the lines of stderr."""
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        env=os.environ | OPTIONS | {"PYTHONPATH": f"{PACKAGE.parent}:{ELSEWHERE.parent}"},
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.stdout, done.stderr.splitlines()


def commands(*lines):
    return " then ".join(lines).split()


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_commands_work_without_what_other_systems_lack(tmp_path, train, system):
    scan = "--on-error skip train"
    first = commands(
        f"embed {scan}",
        f"score {scan}",
        f"select -r 0.5 {scan} -o kept.txt",
        f"select -r 0.5 {scan} --copy-to out",
        f"select -r 0.3 {scan} --copy-to out --force",
        f"select -r 0.5 {scan} --copy-to hard --link hard",
        f"select -r 0.5 {scan} --copy-to soft --link symbolic",
    )
    scores, told = run(tmp_path, ELSEWHERE, system, tmp_path, *first)
    refused = "cannot be linked (A required privilege is not held by the client); use --link none"
    assert [line for line in told if line.startswith("exit")] == ["exit 0"] * 6 + [
        f"exit {int(system == 'windows')}"
    ]
    assert any(refused in line for line in told) == (system == "windows")
    assert (tmp_path / "soft").exists() == (system == "macos")
    kept = (tmp_path / "kept.txt").read_bytes()
    assert len(kept.splitlines()) == 10
    assert b"\\" not in kept
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6
    assert (tmp_path / "hard" / kept.split()[0].decode()).stat().st_nlink == 2

    # One image changes, another comes: both are embedded; old sets are replaced.
    paint(train / "a" / "0.png", 7)
    paint(train / "d" / "new.png", 200)
    second = commands(f"embed {scan}", f"embed --check content {scan}", f"score {scan}")
    more, told = run(tmp_path, ELSEWHERE, system, tmp_path, *second)
    assert [line for line in told if line.startswith("exit")] == ["exit 0"] * 3
    assert [len(text.splitlines()) for text in (scores, more)] == [20, 21]
    (tmp_path / "train.moderate").rename(tmp_path / "old")
    here, _ = run(tmp_path, "-m", "moderate_cli", *f"score {scan}".split())
    assert more == here
    left = [path.name for path in tmp_path.rglob("*") if ".moderate-" in path.name]
    assert [name for name in left if name != ".moderate-export"] == []


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_an_interrupted_set_is_continued_without_what_other_systems_lack(tmp_path, train, system):
    (train / "a" / "bad.png").unlink()
    told, errors = run(tmp_path, "-c", INTERRUPTED, system, tmp_path)
    left, (embedded, again) = told.splitlines()[0], told.splitlines()[1].split()
    assert (left, embedded, errors) == ("moderate.lock pixels-float32-float32.partial", "20", [])
    # Three blocks of two rows were finished; those that were being written may be, too.
    assert 0 < int(again) <= 20 - 6


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_a_module_uses_only_what_all_systems_have(path):
    name = path.relative_to(PACKAGE).as_posix()
    missing = {
        f"{module.__name__}.{one}"
        for names in ABSENT.values()
        for module, found in names.items()
        for one in found.split()
    }
    absent = {one for names in MODULES.values() for one in names}
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                used |= {one.name for one in names} & absent
            case ast.ImportFrom(module=str(module), names=names):
                used |= {f"{module}.{one.name}" for one in names} & missing
            case ast.Attribute(value=ast.Name(id=module), attr=attribute):
                used |= {f"{module}.{attribute}"} & missing
    assert not used or name in OF_LINUX | LOOKING, used
