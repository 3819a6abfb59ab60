"""`moderate info`: what feature sets hold."""

from __future__ import annotations

import json
from typing import Any

import click

from moderate_cli.cli import console, options
from moderate_cli.inventory import SetInfo, describe


@click.command()
@click.argument("path", type=options.PATH)
@options.store
@options.option("--json", "as_json", is_flag=True, help="Write one JSON object a line.")
def command(path: str, store: str | None, as_json: bool) -> None:
    """Show what the feature sets of a dataset hold.

    PATH is a dataset folder, its store (DATA.moderate) or one feature set in it.
    """
    for number, info in enumerate(describe(path, store)):
        if as_json:
            console.write((json.dumps(info._asdict()) + "\n").encode("ascii"))
        else:
            console.write((("\n" if number else "") + _text(info)).encode(errors="surrogateescape"))


def _text(info: SetInfo) -> str:
    facts: dict[str, Any] = info._asdict()
    facts |= {
        "classes": len(info.classes),
        "unreadable": ", ".join(f"{path} ({why})" for path, why in info.unreadable.items())
        or "none",
        "size": console.size(info.size),
        "complete": "yes" if info.complete else f"no, {info.done} of {info.rows} images",
        "preprocessing": ", ".join(f"{name} {value}" for name, value in info.preprocessing.items()),
    }
    del facts["done"]
    facts["dataset"] = info.dataset or "unknown (not beside its dataset)"
    return console.facts({name.replace("_", " "): fact for name, fact in facts.items()})
