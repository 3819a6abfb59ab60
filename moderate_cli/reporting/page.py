"""Facts, pictures and charts -> one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from moderate_cli.charts.curves import curves
from moderate_cli.charts.drawing import vega_lite_version
from moderate_cli.evaluation.summary import Line
from moderate_cli.images.thumbnails import NO_ROOM, Thumbnail, thumbnails
from moderate_cli.reporting.charts import map_chart, score_bins, score_chart, window_of
from moderate_cli.reporting.facts import (
    ClassFacts,
    Subject,
    class_facts,
    of_pictures,
    shown,
    warnings,
)
from moderate_cli.reporting.gallery import Shelf, gallery
from moderate_cli.reporting.projection import Projection
from moderate_cli.reporting.ranking import ranking, rule_of

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 9_800_000
MOST_FOR_PICTURES = 5_000_000
GALLERY_SIDE, MAP_SIDE = 112, 64  # pixels
MARKUP = (
    200_000  # bytes of a page beside its data and scripts, and of what JSON takes for <, > and &
)
JSON: dict[str, Any] = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": False}
MOST_QUOTAS = 24  # classes in the summary


def render(
    subject: Subject, projection: Projection, evaluations: Mapping[str, Sequence[Line]]
) -> bytes:
    """Write the page.

    Parameters
    ----------
    subject
        What is shown.
    projection
        Where images lie on the map.
    evaluations
        What `summarize` found of each evaluation, by what it is to be called.

    Returns
    -------
    bytes
        HTML, the same for the same arguments.
    """
    shelves, numbers, classes = gallery(subject), ranking(subject), class_facts(subject)
    kept = int(np.count_nonzero(subject.kept))
    thousandths = max(1, round(1000 * kept / numbers["n"]))
    sizes = np.array([one.images for one in classes])
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_QUOTAS]).tolist()
    points = [_image(subject, row) for row in projection.rows.tolist()]
    data: dict[str, Any] = {
        "classes": dict(zip(ClassFacts._fields, zip(*classes, strict=True), strict=True)),
        "thousandths": thousandths,
        "ranking": numbers,
        "gallery": {
            member: [
                {
                    "title": shelf.title,
                    "images": [_image(subject, row) for row in shelf.rows.tolist()],
                }
                for shelf in own
            ]
            for member, own in shelves.items()
        },
        "bins": score_bins(subject),
        "window": window_of(subject),
        "charts": {
            "scores": score_chart(subject).to_dict(),
            "map": map_chart(subject, projection, points).to_dict(),
            "curves": [curves(lines).to_dict() for lines in evaluations.values()],
        },
    }
    scripts = [_bundle(), _template("windows.js"), _template("page.js")]
    used = len(json.dumps(data, **JSON).encode()) + sum(map(len, scripts)) + MARKUP
    room = max(0, min(MOST_FOR_PICTURES, MOST_BYTES - used))
    drawn = _pictures(subject, shelves, projection, room)
    data["pictures"] = {row: picture.uri for row, picture in drawn.items() if picture.uri}
    undrawn = {row: shown(picture.reason) for row, picture in drawn.items() if picture.reason}
    data["undrawn"] = undrawn
    page = _environment().get_template("page.html")
    return page.render(
        subject=subject,
        version=version("moderate-cli"),
        policy=_policy(scripts),
        style=_safe(_template("style.css")),
        scripts=[_safe(script) for script in scripts],
        data=data,
        images=int(np.count_nonzero(subject.readable)),
        able=numbers["n"],
        kept=kept,
        suspects=len(subject.suspected),
        tiles=_tiles(subject),
        sentence=_sentence(subject),
        warnings=[*warnings(subject), *of_pictures(subject, undrawn)],
        quotas=[classes[at] for at in largest],
        more_quotas=len(classes) - len(largest),
        options=subject.options,
        window=bool(data["window"]),
        thousandths=thousandths,
        slider_reason=_slider_reason(numbers["rule"]),
        slider_note=_slider_note(numbers),
        gallery_note=_gallery_note(subject, len(shelves)),
        map_note=_map_note(subject, projection),
        curves=list(evaluations),
    ).encode()


def _pictures(
    subject: Subject, shelves: Mapping[int, Sequence[Shelf]], projection: Projection, room: int
) -> dict[int, Thumbnail]:
    """Draw the images that are shown, by row; in the gallery larger than on the map."""
    # The first of each shelf before the second of any, should there not be room for all.
    ranked = sorted(
        (place, member, number, row)
        for member, own in shelves.items()
        for number, shelf in enumerate(own)
        for place, row in enumerate(shelf.rows.tolist())
    )
    large = list(dict.fromkeys(row for *_, row in ranked))
    found = _drawn(subject, large, GALLERY_SIDE, room * 3 // 5)
    small = [row for row in projection.rows.tolist() if row not in found]
    used = sum(len(picture.uri) + len(picture.reason) for picture in found.values())
    return found | _drawn(subject, small, MAP_SIDE, room - used)


def _drawn(subject: Subject, rows: list[int], side: int, room: int) -> dict[int, Thumbnail]:
    paths = [subject.data.paths[row] for row in rows]
    pictures = thumbnails(subject.dataset, paths, side, room)
    return {
        row: picture
        for row, picture in zip(rows, pictures, strict=True)
        if picture.reason != NO_ROOM
    }


def _image(subject: Subject, row: int) -> dict[str, Any]:
    """Say what a page is to know of an image."""
    fate = "kept" if subject.kept[row] else "dropped" if subject.eligible[row] else "out"
    found: dict[str, Any] = {
        "path": shown(subject.data.paths[row]),
        "score": float(f"{subject.scores.values[row]:.6g}"),
        "fate": fate,
        "row": row,
    }
    suspects = subject.suspects
    if suspects is not None and suspects.probability[row] > 0.5:
        found["like"] = shown(subject.scores.class_name(int(suspects.looks_like[row])))
    return found


def _tiles(subject: Subject) -> dict[str, str]:
    readable = int(np.count_nonzero(subject.readable))
    kept = int(np.count_nonzero(subject.kept))
    out = readable - int(np.count_nonzero(subject.eligible))
    numbers: dict[str, int | None] = {
        "Images": readable,
        "Classes": len(subject.labels),
        "Kept": kept,
        "Dropped": readable - kept - out,
        "Left out first": out or None,
        "Unreadable": len(subject.unreadable) or None,
        "Suspects": None if subject.suspects is None else len(subject.suspected),
        "Near duplicates": None if subject.duplicates is None else len(subject.duplicates.rows),
    }
    return {name: f"{number:,}" for name, number in numbers.items() if number is not None}


def _sentence(subject: Subject) -> str:
    how = subject.how
    rule = rule_of(subject)
    place = "in each class" if rule["within"] else "over all images"
    if how["strategy"] == "moderate":
        middle = "the median" if rule["median"] else f"the quantile {float(how['quantile']):g}"
        return f"those around {middle} of the {subject.measure}, {place}"
    return f"by strategy {how['strategy']}, {place}"


def _slider_reason(rule: Mapping[str, Any]) -> str:
    """Say why the slider cannot tell, if it cannot."""
    if rule["kind"] != "fixed":
        return ""
    return (
        f"Strategy {rule['strategy']} has no window that could be moved here;"
        " moderate select --dry-run shows what other ratios keep."
    )


def _slider_note(numbers: Mapping[str, Any]) -> str:
    rule = numbers["rule"]
    if rule["kind"] == "shares":
        return (
            f"Counts are those of moderate select. Which images strategy {rule['strategy']} then"
            " takes is not told here; the charts go on showing what was selected."
        )
    if numbers["step"] > 1 and rule["kind"] == "global window":
        return (
            f"Counts are approximate: one image in {numbers['step']} is carried by this page, and"
            " the least that each class keeps is left aside."
        )
    return "Counts are those of moderate select, exactly."


def _gallery_note(subject: Subject, classes: int) -> str:
    if classes == len(subject.labels):
        return ""
    return f"The {classes:,} largest of {len(subject.labels):,} classes are shown."


def _map_note(subject: Subject, projection: Projection) -> str:
    images = int(np.count_nonzero(subject.readable))
    what = (
        "All images"
        if len(projection.rows) == images
        else f"{len(projection.rows):,} images, drawn at random"
    )
    rings = " Suspects are ringed." if len(subject.suspected) else ""
    return (
        f"{what}, laid out by {projection.method} of their features: the nearer, the more alike."
        f" Dropped images are pale.{rings}"
    )


def _bundle() -> str:
    """Return the JavaScript that draws charts."""
    import vl_convert

    return vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=vega_lite_version()
    )


def _policy(scripts: Iterable[str]) -> str:
    """Let the page run its own scripts and show its own pictures, and nothing from elsewhere."""
    sums = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(sums)}"
    )


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    found = Environment(
        autoescape=True, undefined=StrictUndefined, loader=FunctionLoader(_template)
    )
    found.policies["json.dumps_kwargs"] = JSON
    return found


def _template(name: str) -> str:
    return (files(__package__) / "template" / name).read_text(encoding="utf-8")


def _safe(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)
