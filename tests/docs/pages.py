"""The files that users read: the README, and the pages of `moderate help`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "moderate_cli" / "docs").glob("*.md")))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language, a pattern."""
    pattern = rf"^```(?:{language})\n(.*?)^```$"
    return re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """Return the text without code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
