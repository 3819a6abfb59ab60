"""The card of a dataset of Hugging Face, a README.md that begins with facts in YAML."""

from __future__ import annotations

import re
from pathlib import Path

CARD = "README.md"
# A block of YAML at the top, and in it the entry with the sizes of splits, up to the next entry.
FACTS = re.compile(r"\A---\r?\n.*?^---\s*$", re.DOTALL | re.MULTILINE)
SIZES = re.compile(r"^dataset_info:.*?(?=^[^\s#-]|^---)", re.DOTALL | re.MULTILINE)


def drop_sizes(folder: Path) -> None:
    """Remove the sizes of splits from a card: `load_dataset` would refuse tables of other sizes.

    The names of classes are in the tables, too.
    """
    card = folder / CARD
    if not card.is_file():
        return
    text = card.read_bytes().decode("utf-8", "surrogateescape")
    facts = FACTS.match(text)
    if facts is None or SIZES.search(facts[0]) is None:
        return
    rest = SIZES.sub("", facts[0]) + text[facts.end() :]
    card.write_bytes(rest.encode("utf-8", "surrogateescape"))
