"""`moderate info`: facts about a dataset, and about everything that is stored beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import click

from moderate_cli.api.info import Info, Stored, info
from moderate_cli.cli import console, declaring, options, values
from moderate_cli.dataset import FLAT
from moderate_cli.networks.table import EXIF
from moderate_cli.store.inventory import SetInfo
from moderate_cli.text import aligned, counted, printable, some

MOST_CLASSES, AT_EACH_END = 12, 3  # classes that are named; of more, the smallest and the largest


@click.command(
    cls=declaring.Sectioned,
    common=("json", "store"),
    examples=(
        ("moderate info data/train", "show the dataset and its feature sets"),
        ("moderate info data/train --json", "the same for programs"),
    ),
)
@click.argument("data", metavar="PATH", type=values.PATH)
@options.store
@declaring.option("--json", "as_json", is_flag=True, help="Print all facts as JSON.")
@options.lists
def command(data: Any, store: str | None, as_json: bool) -> None:
    """Show a dataset and all that is stored beside it.

    Prints the images, classes and oddities of the dataset, its feature sets with what is missing or
    stale, their results, and the network of `moderate fit`. PATH is a dataset, its store
    (DATA.moderate) or a feature set in the store, of which all facts are shown. Reads no image.
    """
    found = info(data, store=store)
    if as_json:
        console.write((json.dumps(found.facts(), indent=1) + "\n").encode("ascii"))
        return
    text = "\n".join(part for part in _parts(found, os.fspath(data)) if part)
    console.write(text.encode(errors="surrogateescape"))
    if any(one.difference and one.difference.missing and not one.of_another for one in found.sets):
        console.hint("the next command on DATA embeds what is missing, and nothing else")


def _parts(found: Info, path: str) -> Iterator[str]:
    for one in found.sets:
        if os.path.exists(path) and os.path.samefile(path, one.info.feature_set):
            yield _all_facts(one.info)
    yield console.facts(_of_dataset(found))
    if found.sets:
        rows = [_row(one) for one in found.sets]
        yield aligned(("feature set", "images", "dim", "size", "written", "state"), rows, (0, 5))
    else:
        yield "no features yet; `moderate embed` or any other command computes them\n"
    lines = dict(_results(found))
    yield console.facts(lines) if lines else ""


def _of_dataset(found: Info) -> Mapping[str, str]:
    """Return the facts of the dataset, by name."""
    if found.dataset is None:
        problem = found.problem or "unknown: the store is not beside its dataset"
        return {"dataset": printable(problem)}
    counts = found.counts
    classes = counted(len(counts), "class", "classes")
    if tuple(counts) == (FLAT,):
        classes = "no class folders"
    facts = {
        "dataset": printable(os.fspath(found.dataset.home)),
        "images": f"{len(found.dataset)} in {classes}",
    }
    listed = found.dataset.listed
    apart = listed is not None and found.dataset.root != listed.path.parent
    if apart and found.dataset.in_files:
        facts["images in"] = printable(os.fspath(found.dataset.root))
    if tuple(counts) != (FLAT,):
        facts["classes"] = _sizes(counts)
    facts |= {f"note {number}": note for number, note in enumerate(found.oddities, 1)}
    return facts


def _sizes(counts: Mapping[str, int]) -> str:
    """Return the number of images of each class, or of the largest and the smallest ones.

    >>> _sizes({"cat": 2, "dog": 40, "owl": 0})
    'dog 40, cat 2, owl 0'
    """
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    texts = [f"{printable(name)} {count}" for name, count in ordered]
    if len(texts) > MOST_CLASSES:
        texts[AT_EACH_END:-AT_EACH_END] = ["..."]
    return ", ".join(texts)


def _row(one: Stored) -> tuple[str, ...]:
    """Return the line of a feature set."""
    own = one.info
    written = "" if one.written is None else f"{one.written.astimezone():%Y-%m-%d %H:%M}"
    name = printable(os.path.basename(own.feature_set))
    return (name, str(own.rows), str(own.dim), console.size(own.size), written, _state(one))


def _state(one: Stored) -> str:
    """Say what is missing or stale."""
    found, parts = one.difference, []
    if not one.info.complete:
        parts = [f"unfinished: {one.info.done} of {one.info.rows} images"]
    elif found is not None:
        kinds = (
            (found.missing, "missing"), (found.touched, "changed or touched"),
            (found.moved, "of another class now"), (found.removed, "removed"),
        )  # fmt: skip
        parts = [f"{count} {kind}" for count, kind in kinds if count]
        if not parts and not one.of_another:
            parts = ["up to date"]
    if one.of_another:
        parts.append("of another network than that of fit")
    if unreadable := len(one.info.unreadable):
        parts.append(f"{unreadable} unreadable")
    return ", ".join(parts) or "complete"


def _results(found: Info) -> Iterator[tuple[str, str]]:
    """Yield the results of each feature set, its unreadable images, and the network of `fit`."""
    for one in found.sets:
        name = printable(os.path.basename(one.info.feature_set))
        kept = [*one.results]
        if one.evaluations:
            kept.append(counted(one.evaluations, "part of evaluations", "parts of evaluations"))
        if kept:
            yield f"results of {name}", ", ".join(kept)
        if one.info.unreadable:
            yield f"unreadable in {name}", _unreadable(one.info)
        if one.info.oriented:
            yield f"EXIF orientation in {name}", _oriented(one.info)
    if found.fitted is not None:
        own = found.fitted
        used = "used by auto" if own.serves else "not better than the default features"
        used = "not compared with the default features" if own.serves is None else used
        fresh = "up to date" if own.up_to_date else "older than the images"
        judged = counted(own.images, "held-out image")
        right = f"right for {100 * own.accuracy:.1f} % of {judged}"
        labels = "; of corrected labels" if own.corrected else ""
        yield "network of fit", f"{own.network}, {right}; {used}; {fresh}{labels}"


def _unreadable(one: SetInfo) -> str:
    return some([f"{path} ({why})" for path, why in one.unreadable.items()])


def _all_facts(one: SetInfo) -> str:
    facts: dict[str, Any] = one._asdict()
    facts |= {
        "classes": len(one.classes),
        "unreadable": _unreadable(one) or "none",
        "size": console.size(one.size),
        "complete": "yes" if one.complete else f"no, {one.done} of {one.rows} images",
        "preprocessing": ", ".join(f"{name} {value}" for name, value in one.preprocessing.items()),
        "oriented": _oriented(one),
    }
    del facts["done"]
    facts["dataset"] = one.dataset or "unknown (not beside its dataset)"
    return console.facts({name.replace("_", " "): fact for name, fact in facts.items()})


def _oriented(one: SetInfo) -> str:
    """Say how many images have an EXIF orientation, and how it is used."""
    if not one.oriented:
        return "unknown" if one.oriented is None else "none"
    used = "turned by it" if one.preprocessing.get("orientation") == EXIF else "ignored"
    whose = "image by its" if one.oriented == 1 else "images by their"
    return f"{one.oriented} {whose} EXIF tag, {used}"
