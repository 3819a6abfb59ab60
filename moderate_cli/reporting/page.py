"""The sections of a report, put together into one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.charts.drawing import vega_lite_version
from moderate_cli.charts.palette import OTHER, PALETTE
from moderate_cli.images.thumbnails import Progress
from moderate_cli.reporting.class_table import ClassRow, class_table
from moderate_cli.reporting.corrected import corrected_before
from moderate_cli.reporting.distribution import chart_of_scores, class_bins
from moderate_cli.reporting.evaluations import Evaluation
from moderate_cli.reporting.facts import Fact, facts
from moderate_cli.reporting.feature_map import chart_of_map, groups_of, map_note
from moderate_cli.reporting.pictures import Album, album, base64_of, image_facts
from moderate_cli.reporting.projection import Projection
from moderate_cli.reporting.sample import sample, sample_note
from moderate_cli.reporting.slider import slider
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.verdict import verdict
from moderate_cli.reporting.warnings import of_pictures, warnings
from moderate_cli.reporting.wording import counted
from moderate_cli.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 24_000_000  # as much as most mail servers pass on
# Bytes of a page beside its data and scripts, and those that escaping <, > and & adds to the data.
MARKUP = 200_000
JSON: dict[str, Any] = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": False}
SCRIPTS = ("base.js", "images.js", "review.js", "charts.js", "classes.js")
MOST_FOR_NAMES = 2_000_000  # bytes
MOST_ON_A_FACT = 6  # pictures
REMOVED = {"suspects": "likely label errors", "duplicates": "near duplicates"}


def render(
    subject: Subject,
    projection: Projection,
    evaluations: Sequence[Evaluation],
    *,
    on_progress: Progress | None = None,
) -> bytes:
    """Write the page.

    Parameters
    ----------
    subject
        The selection.
    projection
        Its images on the map.
    evaluations
        From `evaluations_in`.
    on_progress
        Called with the number of pictures drawn so far, and about the number of all.

    Returns
    -------
    bytes
        HTML, the same for the same arguments.
    """
    earlier = subject.selection.earlier
    judged = verdict(subject.choice, evaluations, filled_up=earlier is not None)
    rest = [one for one in evaluations if one is not judged.evaluation]
    data = _data(subject, [one for one in (judged.evaluation, *rest) if one is not None])
    scripts = [_bundle(), *map(_template, SCRIPTS)]
    used = _size(data) + _size(_on_map(subject, projection, projection.rows))
    used += sum(len(script.encode()) for script in scripts) + MARKUP
    shown = album(subject, sample(subject), max(0, MOST_BYTES - used), on_progress)
    every = np.concatenate([shown.rows, np.setdiff1d(projection.rows, shown.rows)])
    places = _places(every)
    data |= _on_map(subject, projection, every, len(shown.rows))
    data["pictures"] = shown.pictures
    data["undrawn"] = {places[row]: why for row, why in shown.undrawn.items()}
    return (
        _environment()
        .get_template("page.html")
        .render(
            subject=subject,
            version=__version__,
            policy=_policy(scripts),
            style=_safe(_template("style.css")),
            scripts=[_safe(script) for script in scripts],
            data=data,
            kept=int(np.count_nonzero(subject.kept)),
            images=int(np.count_nonzero(subject.readable)),
            remaining=int(np.count_nonzero(subject.eligible)),
            removed=" and ".join(REMOVED[what] for what in subject.selection.left_out),
            verdict=judged,
            facts=[(fact, _pictured(fact, shown, places)) for fact in facts(subject)],
            warnings=[*warnings(subject), *of_pictures(subject, shown.undrawn)],
            sample_note=sample_note(subject, len(shown.rows)),
            map_note=map_note(subject, projection),
            curves=[one.title for one in rest],
        )
        .encode()
    )


def _data(subject: Subject, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the data that the scripts of the page show, apart from images."""
    classes = class_table(subject)
    return {
        "key": _key(subject),
        "classes": dict(zip(ClassRow._fields, zip(*classes, strict=True), strict=True)),
        "exact": _exact_names(subject, [one.name for one in classes]),
        "corrected": corrected_before(subject.dataset),
        "slider": slider(subject)._asdict(),
        "bins": class_bins(subject),
        "charts": {
            "scores": chart_of_scores(subject).to_dict(),
            "curves": [_curves_of(one) for one in evaluations],
        },
    }


def _curves_of(one: Evaluation) -> dict[str, Any]:
    """Return its chart, with a title that is not cut on a telephone."""
    return one.comparison.chart().properties(title="Accuracy by selection").to_dict()


def _on_map(
    subject: Subject, projection: Projection, rows: Rows, listed: int = 0
) -> dict[str, Any]:
    """Return facts of images, all those on the map included, and the map with its legend."""
    groups = groups_of(subject)
    chart = chart_of_map(subject, projection, _places(rows), legend=False)
    return {
        "images": image_facts(subject, rows, listed),
        "map": {
            "chart": chart.to_dict(),
            "groups": groups.names,
            "colors": [*PALETTE, OTHER][: len(groups.names)],
        },
    }


def _key(subject: Subject) -> str:
    """Return a name for the images, by which a browser keeps marks.

    Labels are no part of it: marks stay where some labels were corrected already.
    """
    digest = hashlib.sha256(subject.name.encode(errors="surrogateescape"))
    for text in chain(subject.scores.classes, subject.data.paths):
        digest.update(f"{text}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _exact_names(subject: Subject, names: Sequence[str]) -> dict[int, str]:
    """Return the names of classes that are not as they are shown, in base64, by position.

    Of those that there is no room for, "": no image can be marked to be of them.
    """
    exact = map(subject.scores.class_name, subject.labels.tolist())
    found, room = {}, MOST_FOR_NAMES
    for at, (name, shown_) in enumerate(zip(exact, names, strict=True)):
        if name != shown_:
            text = base64_of(name)
            room -= len(text)
            found[at] = text if room >= 0 else ""
    return found


def _places(rows: Rows) -> dict[int, int]:
    return {row: place for place, row in enumerate(rows.tolist())}


def _pictured(fact: Fact, shown: Album, places: Mapping[int, int]) -> list[int]:
    """Return the positions of the images of a fact that have a picture."""
    at = [places[row] for row in fact.rows.tolist() if row in places]
    return [one for one in at if one < len(shown.rows) and shown.pictures[one]][:MOST_ON_A_FACT]


def _size(data: Any) -> int:
    return len(json.dumps(data, **JSON).encode())


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
    found.filters["with_code"] = _with_code
    found.filters["counted"] = counted
    found.policies["json.dumps_kwargs"] = JSON
    return found


def _template(name: str) -> str:
    return (files(__package__) / "template" / name).read_text(encoding="utf-8")


def _with_code(text: str) -> str:
    """Set the parts of a text that are between backticks as code, and escape all."""
    from markupsafe import Markup

    def code(part: str) -> Markup:  # no line ends within a word, such as --drop-suspects
        word = Markup('<span class="word">{}</span>')
        return Markup("<code>{}</code>").format(Markup(" ").join(map(word.format, part.split(" "))))

    parts = text.split("`")
    return Markup("").join(code(part) if at % 2 else part for at, part in enumerate(parts))


def _safe(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)
