"""The sections of a report, put together into one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from moderate_cli.charts.drawing import vega_lite_version
from moderate_cli.evaluation import Comparison
from moderate_cli.reporting.class_table import ClassRow, class_table
from moderate_cli.reporting.distribution import chart_of_scores, score_bins
from moderate_cli.reporting.feature_map import chart_of_map, map_note
from moderate_cli.reporting.gallery import Shelf, gallery, gallery_note
from moderate_cli.reporting.pictures import image_facts, pictures
from moderate_cli.reporting.projection import Projection
from moderate_cli.reporting.slider import Slider, slider
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.summary import middle, tiles
from moderate_cli.reporting.warnings import of_pictures, warnings
from moderate_cli.reporting.wording import shown

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 9_800_000
MOST_FOR_PICTURES = 5_000_000
# Bytes of a page beside its data and scripts, and those that escaping <, > and & adds to the data.
MARKUP = 200_000
JSON: dict[str, Any] = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": False}
MOST_QUOTAS = 24  # classes in the summary


def render(
    subject: Subject, projection: Projection, evaluations: Mapping[str, Comparison]
) -> bytes:
    """Write the page.

    Parameters
    ----------
    subject
        The selection.
    projection
        Its images on the map.
    evaluations
        Results of each evaluation, by its title.

    Returns
    -------
    bytes
        HTML, the same for the same arguments.
    """
    classes, shelves, stops = class_table(subject), gallery(subject), slider(subject)
    data = _data(subject, classes, shelves, stops)
    data["charts"] = {
        "scores": chart_of_scores(subject).to_dict(),
        "map": chart_of_map(subject, projection).to_dict(),
        "curves": [one.curves().to_dict() for one in evaluations.values()],
    }
    scripts = [_bundle(), _template("page.js")]
    used = len(json.dumps(data, **JSON).encode()) + sum(map(len, scripts)) + MARKUP
    room = max(0, min(MOST_FOR_PICTURES, MOST_BYTES - used))
    drawn = pictures(subject, shelves, projection, room)
    data["pictures"] = {row: picture.uri for row, picture in drawn.items() if picture.uri}
    undrawn = {row: shown(picture.reason) for row, picture in drawn.items() if picture.reason}
    data["undrawn"] = undrawn
    sizes = np.array([one.images for one in classes])
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_QUOTAS]).tolist()
    kept, images, remaining = (
        int(np.count_nonzero(mask)) for mask in (subject.kept, subject.readable, subject.eligible)
    )
    page = _environment().get_template("page.html")
    return page.render(
        subject=subject,
        version=version("moderate-cli"),
        policy=_policy(scripts),
        style=_safe(_template("style.css")),
        scripts=[_safe(script) for script in scripts],
        data=data,
        kept=kept,
        images=images,
        remaining=remaining,
        percent=f"{100 * kept / images:.3g}",
        middle=middle(subject),
        tiles=tiles(subject),
        warnings=[*warnings(subject), *of_pictures(subject, undrawn)],
        quotas=[classes[at] for at in largest],
        more_quotas=len(classes) - len(largest),
        slider=stops,
        gallery_note=gallery_note(subject, len(shelves)),
        map_note=map_note(subject, projection),
        curves=list(evaluations),
    ).encode()


def _data(
    subject: Subject,
    classes: Sequence[ClassRow],
    shelves: Mapping[int, Sequence[Shelf]],
    stops: Slider,
) -> dict[str, Any]:
    """Return the data that the script of the page shows."""
    return {
        "classes": dict(zip(ClassRow._fields, zip(*classes, strict=True), strict=True)),
        "slider": stops._asdict(),
        "bins": [one._asdict() for one in score_bins(subject)],
        "gallery": {
            member: [
                {
                    "title": shelf.title,
                    "images": [image_facts(subject, row) for row in shelf.rows.tolist()],
                }
                for shelf in own
            ]
            for member, own in shelves.items()
        },
    }


@cache
def _bundle() -> str:
    """Return the JavaScript that draws charts, which takes a second to put together."""
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
