"""The version has one place, moderate_cli/version.py."""

import importlib.metadata
from pathlib import Path

from moderate_cli.version import __version__

ROOT = Path(__file__).parents[2]
TEXT = {".css", ".html", ".js", ".md", ".py", ".toml", ".txt"}
OWN = ROOT / "moderate_cli" / "version.py"
# The history of versions names each of them.
HISTORY = ROOT / "moderate_cli" / "docs" / "changelog.md"


def test_version_is_that_of_the_installed_package(moderate):
    assert moderate("--version") == (
        0,
        f"moderate {importlib.metadata.version('moderate-cli')}\n",
        "",
    )


def test_no_other_file_spells_the_version():
    files = [
        ROOT / "README.md",
        ROOT / "pyproject.toml",
        *(ROOT / "configs").rglob("*"),
        *(ROOT / "moderate_cli").rglob("*"),
    ]
    spelled = [
        path
        for path in files
        if path.suffix in TEXT and path not in (OWN, HISTORY) and __version__ in path.read_text()
    ]
    assert spelled == []
