"""The version has one place, pyproject.toml."""

import importlib.metadata
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = {".css", ".html", ".js", ".md", ".py", ".toml", ".txt"}
# The history of versions names each of them.
HISTORY = ROOT / "moderate_cli" / "docs" / "changelog.md"


def test_version_is_that_of_the_installed_package(moderate):
    assert moderate("--version") == (
        0,
        f"moderate {importlib.metadata.version('moderate-cli')}\n",
        "",
    )


def test_no_other_file_spells_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    files = [
        ROOT / "README.md",
        *(ROOT / "configs").rglob("*"),
        *(ROOT / "moderate_cli").rglob("*"),
    ]
    spelled = [
        path
        for path in files
        if path.suffix in TEXT and path != HISTORY and version in path.read_text()
    ]
    assert spelled == []
