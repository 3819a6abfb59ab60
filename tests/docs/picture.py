"""The picture at the top of the README: how far images are from their class centers.

Distances are divided by the median of the class, so that the windows of all classes are in one
place.

python -m tests.docs.picture
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from moderate_cli.demo import draw_dataset

PICTURE = Path(__file__).parents[2] / "moderate_cli" / "docs" / "window.png"
WIDTH, HEIGHT = 1640, 750
LEFT, RIGHT, TOP, BASE = 60, 1580, 90, 430  # of the histogram
THUMB, GAP = 88, 6
BLUE, GRAY, BAND, RED, INK, PALE = "#2a6fdb", "#b9c0ca", "#e8f0fd", "#c8372d", "#20262e", "#68717d"
COLORS = 200  # of the palette; more make the file larger
BIN, START = 0.06, 0.45


class Scored(NamedTuple):
    """An image of the demo dataset.

    Attributes
    ----------
    path
        Relative to the dataset.
    score
        Distance to its class center, over the median of the class.
    kept
        Whether `moderate select --ratio 0.3` keeps it.
    planted
        "mislabeled", "ruined" or "".
    """

    path: str
    score: float
    kept: bool
    planted: str


def main() -> None:
    """Draw the demo dataset, score it, and draw the picture."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "train"
        planted = draw_dataset(root)
        kept = set(_moderate("select", "--ratio", "0.3", root).splitlines())
        _moderate("score", root, "-o", f"{folder}/scores.csv")
        with open(f"{folder}/scores.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        of_class: dict[str, list[float]] = {}
        for row in rows:
            of_class.setdefault(row["class"], []).append(float(row["score"]))
        medians = {name: float(np.median(scores)) for name, scores in of_class.items()}
        images = [
            Scored(
                row["path"],
                float(row["score"]) / medians[row["class"]],
                row["path"] in kept,
                "mislabeled" if row["path"] in planted.mislabeled
                else "ruined" if row["path"] in planted.ruined
                else "",
            )
            for row in rows
        ]  # fmt: skip
        content = _draw(sorted(images, key=lambda image: image.score), root)
    PICTURE.write_bytes(content)
    print(f"{PICTURE.name}: {len(content)} bytes")


def _moderate(*args: str | Path) -> str:
    command = [sys.executable, "-m", "moderate_cli", *map(str, args)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _draw(images: list[Scored], root: Path) -> bytes:
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    scale = _Scale(max(image.score for image in images))
    window = [image.score for image in images if image.kept]
    low, high = scale.x(min(window)), scale.x(max(window))
    draw.rectangle((low, TOP - 40, high, BASE), fill=BAND)
    _bars(draw, images, scale)
    draw.line((LEFT, BASE, RIGHT, BASE), fill=INK, width=2)
    for tick in np.arange(1, scale.end, 0.5).tolist():
        draw.line((scale.x(tick), BASE, scale.x(tick), BASE + 8), fill=INK, width=2)
        _text(draw, (scale.x(tick), BASE + 24), f"{tick:g}", 24, PALE)
    axis = "distance of an image's feature to the center of its class, over the median of the class"
    _text(draw, ((LEFT + RIGHT) / 2, BASE + 62), axis, 26, INK)
    middle = (low + high) / 2
    _text(draw, (middle, TOP - 64), "kept: the 30 % closest to the median of their class", 30, BLUE)
    _text(draw, (1180, 270), "red: mislabeled or ruined, and dropped", 28, RED)
    ordinary = [image for image in images if image.kept and not image.planted]
    groups = (
        ("nearest: typical, much alike", INK, images[:5]),
        ("around the median: kept", BLUE, list(_one_of_each_class(ordinary))[:5]),
        ("farthest: odd, or mislabeled", RED, images[-5:]),
    )
    wide = 5 * THUMB + 4 * GAP
    for number, (title, color, group) in enumerate(groups):
        start = LEFT + number * (RIGHT - LEFT - wide) / 2
        _text(draw, (start + wide / 2, 570), title, 30, color)
        for place, image in enumerate(group):
            x = round(start + place * (THUMB + GAP))
            thumb = Image.open(root / image.path).resize((THUMB, THUMB), Image.Resampling.LANCZOS)
            canvas.paste(thumb, (x, 606))
            draw.rectangle((x, 606, x + THUMB - 1, 606 + THUMB - 1), outline=color, width=3)
            _text(draw, (x + THUMB / 2, 716), image.path.split("/")[0], 21, INK)
    return _bytes(canvas)


class _Scale:
    """Positions of scores along the axis."""

    def __init__(self, largest: float) -> None:
        self.end = largest + BIN

    def x(self, score: float) -> float:
        return LEFT + (RIGHT - LEFT) * (score - START) / (self.end - START)


def _bars(draw: ImageDraw.ImageDraw, images: list[Scored], scale: _Scale) -> None:
    """Stack, in each bin, what is kept below what is not."""
    scores = np.array([image.score for image in images])
    kept = np.array([image.kept for image in images])
    planted = np.array([bool(image.planted) for image in images])
    edges = np.arange(START, scale.end + BIN, BIN)
    stacks = [
        (np.histogram(scores[mask], edges)[0], color)
        for mask, color in ((kept, BLUE), (~kept & ~planted, GRAY), (~kept & planted, RED))
    ]
    most = sum(counts for counts, _ in stacks).max()
    for place, edge in enumerate(edges[:-1].tolist()):
        height = 0
        for counts, color in stacks:
            count = int(counts[place])
            top = BASE - (BASE - TOP) * (height + count) / most
            bottom = BASE - (BASE - TOP) * height / most
            if count:
                draw.rectangle(
                    (scale.x(edge) + 1, top, scale.x(edge + BIN) - 2, bottom), fill=color
                )
            height += count


def _one_of_each_class(images: Iterable[Scored]) -> Iterable[Scored]:
    seen = set()
    for image in images:
        name = image.path.split("/")[0]
        if name not in seen:
            seen.add(name)
            yield image


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, color: str
) -> None:
    draw.text(place, text, fill=color, font=ImageFont.load_default(size), anchor="mm")


def _bytes(canvas: Image.Image) -> bytes:
    file = io.BytesIO()
    canvas.quantize(COLORS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
