"""Tests that need a program that is missing do not run, and pytest says so."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from programs import closing

TESTS = Path(__file__).parent
CONFIG = TESTS.parent / "pyproject.toml"
EXAMPLE = """
import shutil
import pytest

@pytest.fixture
def made():
    assert shutil.which("make"), "a fixture of a test that does not run"

@pytest.mark.program("rsync", "make")
def test_both(made): pass

@pytest.mark.program("make")
def test_one(made): pass

def test_neither(): pass
"""
LINE = "2 tests did not run (missing: make, rsync); first apt-get install make rsync"


@pytest.fixture
def run(tmp_path):
    """Run pytest on the example, where only some programs are found."""
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    (tmp_path / "bin").mkdir()

    def run(*args, programs=()):
        for name in programs:
            (tmp_path / "bin" / name).symlink_to(shutil.which("true"))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-c", CONFIG, "-p", "programs", "-q", *args, tmp_path],
            cwd=tmp_path,
            env={
                "PATH": str(tmp_path / "bin"),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONPATH": str(TESTS),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_without_a_program_its_tests_do_not_run_and_the_last_line_says_so(run):
    done = run()
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-2].startswith("1 passed, 2 skipped")
    assert done.stdout.splitlines()[-1] == LINE


def test_with_all_programs_a_missing_one_is_a_failure(run):
    done = run("--all-programs")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, LINE)


def test_with_the_programs_all_tests_run_and_nothing_is_said(run):
    done = run("--all-programs", programs=["make", "rsync"])
    assert (done.returncode, "did not run" in done.stdout) == (0, False)
    assert done.stdout.splitlines()[-1].startswith("3 passed in ")


def test_the_line_names_the_packages_of_programs():
    assert closing(1, ["chromedriver"]) == (
        "1 test did not run (missing: chromedriver); first apt-get install chromium-driver"
    )


def test_a_program_that_no_package_is_known_for_fails_its_test(run, tmp_path):
    (tmp_path / "test_example.py").write_text(EXAMPLE.replace('"rsync", ', '"unheard-of", '))
    done = run(programs=["make"])
    assert done.returncode == 1
    assert "add unheard-of to PACKAGES in programs.py" in done.stdout


def test_no_test_is_skipped_in_another_way():
    ways = re.compile(r"pytest\.(skip|importorskip|xfail)|mark\.(skip|skipif|xfail)|SkipTest")
    for path in TESTS.rglob("*.py"):
        if path.name not in ("programs.py", Path(__file__).name):
            assert not ways.search(path.read_text()), path
