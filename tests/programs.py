"""Tests that need a program do not run without it; pytest says so last.

Loaded as a plugin by conftest.py. Such a test is marked: `@pytest.mark.program("make")`.
"""

from __future__ import annotations

import shutil

import pytest

# Program -> the package of Debian that installs it.
PACKAGES = {
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "make": "make",
    "rsync": "rsync",
    "tar": "tar",
    "xargs": "findutils",
}
MISSING = pytest.StashKey[list[set[str]]]()  # of each test that did not run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of continuous integration."""
    parser.addoption("--all-programs", action="store_true", help="fail if a program is missing")


def pytest_configure(config: pytest.Config) -> None:
    """Note the tests that do not run."""
    config.stash[MISSING] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test before its fixtures are made."""
    needed = {name for marker in item.iter_markers("program") for name in marker.args}
    if unknown := needed - PACKAGES.keys():
        pytest.fail(f"add {', '.join(sorted(unknown))} to PACKAGES in {__name__}.py")
    if missing := {name for name in needed if shutil.which(name) is None}:
        item.config.stash[MISSING].append(missing)
        pytest.skip(f"without {', '.join(sorted(missing))}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session):
    """Say last how many tests did not run, and what to install."""
    done = yield
    skipped = session.config.stash[MISSING]
    if skipped:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(closing(len(skipped), sorted(set().union(*skipped))), yellow=True)
        if session.config.getoption("all_programs"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return done


def closing(number: int, missing: list[str]) -> str:
    """Return the last line of pytest: how many tests did not run, without which programs."""
    tests = "1 test" if number == 1 else f"{number} tests"
    packages = " ".join(PACKAGES[name] for name in missing)
    return f"{tests} did not run (missing: {', '.join(missing)}); first apt-get install {packages}"
