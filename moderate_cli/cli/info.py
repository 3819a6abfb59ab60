"""`moderate info`: facts about feature sets."""

from __future__ import annotations

import json
from typing import Any

import click

from moderate_cli.cli import console, declaring, options, values
from moderate_cli.dataset import scan, sentences
from moderate_cli.dataset.lists import is_list
from moderate_cli.errors import DatasetError
from moderate_cli.store.inventory import SetInfo, describe, is_dataset


@click.command()
@click.argument("path", type=values.PATH)
@options.store
@declaring.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def command(path: str, store: str | None, as_json: bool) -> None:
    """Show the feature sets of a dataset.

    PATH is a dataset folder, its store (DATA.moderate) or a feature set in the store. Notes on a
    dataset list ignored files and oddities.
    """
    found = describe(path, store)
    notices, notes = None, list[str]()
    if is_dataset(path, found[0]) and not is_list(path):  # which may need options to be read
        try:
            dataset = scan(path)
            notices = [notice._asdict() for notice in dataset.notices]
            notes = list(map(str, sentences(dataset, path)))
        except DatasetError as error:  # its feature sets are shown all the same
            notes = [str(error)]
    for number, info in enumerate(found):
        if as_json:
            fields = info._asdict() | {"notices": notices}
            console.write((json.dumps(fields) + "\n").encode("ascii"))
        else:
            text = ("\n" if number else "") + _text(info, notes)
            console.write(text.encode(errors="surrogateescape"))


def _text(info: SetInfo, notes: list[str]) -> str:
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
    facts |= {f"note {number}": note for number, note in enumerate(notes, 1)}
    return console.facts({name.replace("_", " "): fact for name, fact in facts.items()})
