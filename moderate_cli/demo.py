"""A small dataset of drawn pictures, some of them mislabeled or ruined, and a clean test set."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from moderate_cli.arrays import Doubles

SIDE = 128
PER_CLASS = 60
MISLABELED, RUINED = 9, 4  # per class
TEST_PER_CLASS = 20

Color = tuple[int, int, int]
Random = np.random.Generator


class Drawing(NamedTuple):
    """The planted pictures of `draw_dataset`.

    Attributes
    ----------
    mislabeled, ruined
        Their paths, relative to the dataset.
    """

    mislabeled: frozenset[str]
    ruined: frozenset[str]


def draw_dataset(root: Path, seed: int = 0) -> Drawing:
    """Draw an ImageFolder of `PER_CLASS` pictures per class, determined by the seed.

    In each class, `MISLABELED` pictures show another class that looks alike, as the errors of
    people do, and `RUINED` are ruined.
    """
    random = np.random.default_rng(seed)
    mislabeled, ruined = set(), set()
    for name in SHAPES:
        (root / name).mkdir(parents=True)
        alike = [other for group in ALIKE if name in group for other in group if other != name]
        planted = random.permutation(PER_CLASS)[: MISLABELED + RUINED].tolist()
        wrong, broken = set(planted[:MISLABELED]), set(planted[MISLABELED:])
        for number in range(PER_CLASS):
            path = f"{name}/{number:02d}.jpg"
            shown = name
            if number in wrong:
                shown = alike[int(random.integers(len(alike)))]
                mislabeled.add(path)
            picture = _draw(SHAPES[shown], random)
            if number in broken:
                picture = RUINS[int(random.integers(len(RUINS)))](picture, random)
                ruined.add(path)
            picture.save(root / path, quality=90)
    return Drawing(frozenset(mislabeled), frozenset(ruined))


def draw_test_set(root: Path, seed: int = 1) -> None:
    """Draw an ImageFolder of `TEST_PER_CLASS` pictures per class, all with the right label."""
    random = np.random.default_rng(seed)
    for name, shape in SHAPES.items():
        (root / name).mkdir(parents=True)
        for number in range(TEST_PER_CLASS):
            _draw(shape, random).save(root / name / f"{number:02d}.jpg", quality=90)


def _draw(shape: Shape, random: Random) -> Image.Image:
    """Draw a rotated shape, dark on bright or bright on dark, with shading, clutter and noise."""
    dark, bright = random.integers(20, 120, 3), random.integers(130, 240, 3)
    back, front = (dark, bright) if random.random() < 0.5 else (bright, dark)
    canvas = Image.new("RGB", (2 * SIDE, 2 * SIDE), _color(back))
    draw = ImageDraw.Draw(canvas)
    shape(draw, _color(front), random)
    _clutter(draw, random)
    turned = canvas.rotate(
        float(random.uniform(-40, 40)), Image.Resampling.BICUBIC, fillcolor=_color(back)
    )
    levels = np.asarray(turned.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    top, bottom = random.uniform(0.75, 1.15, 2)
    light = np.linspace(top, bottom, SIDE)[:, None, None]
    return _picture(levels * light + random.normal(0, random.uniform(10, 60), levels.shape))


def _clutter(draw: ImageDraw.ImageDraw, random: Random) -> None:
    """Draw a few bars over the picture."""
    for _ in range(int(random.integers(4, 11))):
        x, y, width, height = (2 * SIDE * random.random(4) * (1, 1, 0.6, 0.6)).tolist()
        draw.rectangle((x, y, x + width, y + height), fill=_color(random.integers(20, 240, 3)))


def _color(levels: npt.NDArray[np.int64]) -> Color:
    red, green, blue = levels.tolist()
    return red, green, blue


def _picture(levels: Doubles) -> Image.Image:
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def _disc(draw: ImageDraw.ImageDraw, color: Color, random: Random) -> None:
    x, y, radius = _place(random)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def _triangle(draw: ImageDraw.ImageDraw, color: Color, random: Random) -> None:
    draw.regular_polygon(_place(random), 3, fill=color)


def _star(draw: ImageDraw.ImageDraw, color: Color, random: Random) -> None:
    x, y, radius = _place(random)
    draw.polygon(
        [
            (
                x + radius * (1.0, 0.7)[point % 2] * math.sin(math.pi * point / 5),
                y - radius * (1.0, 0.7)[point % 2] * math.cos(math.pi * point / 5),
            )
            for point in range(10)
        ],
        fill=color,
    )


def _stripes(draw: ImageDraw.ImageDraw, color: Color, random: Random) -> None:
    step = float(random.uniform(24, 48))
    for stripe in range(-2, 12):
        draw.rectangle((stripe * step, 0, (stripe + 0.5) * step, 2 * SIDE), fill=color)


def _checkers(draw: ImageDraw.ImageDraw, color: Color, random: Random) -> None:
    step = float(random.uniform(24, 48))
    for row in range(12):
        for column in range(row % 2, 12, 2):
            x, y = column * step, row * step
            draw.rectangle((x, y, x + step, y + step), fill=color)


def _dots(draw: ImageDraw.ImageDraw, color: Color, random: Random) -> None:
    step = float(random.uniform(28, 52))
    for row in range(10):
        for column in range(10):
            x, y = (column + 0.5) * step, (row + 0.5) * step
            draw.ellipse((x - step / 3, y - step / 3, x + step / 3, y + step / 3), fill=color)


def _place(random: Random) -> tuple[float, float, float]:
    """Return center and radius of a shape, near the middle."""
    x, y = random.uniform(0.85, 1.15, 2) * SIDE
    return float(x), float(y), float(random.uniform(0.55, 0.85)) * SIDE


def _drown_in_noise(picture: Image.Image, random: Random) -> Image.Image:
    return _picture(0.1 * np.asarray(picture) + random.uniform(0, 230, (SIDE, SIDE, 3)))


def _black_out(picture: Image.Image, random: Random) -> Image.Image:
    return _picture(0.08 * np.asarray(picture) + random.uniform(0, 6, (SIDE, SIDE, 3)))


def _blur(picture: Image.Image, _random: Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(SIDE / 6))


Shape = Callable[[ImageDraw.ImageDraw, Color, Random], None]
SHAPES: dict[str, Shape] = {
    "checkers": _checkers,
    "disc": _disc,
    "dots": _dots,
    "star": _star,
    "stripes": _stripes,
    "triangle": _triangle,
}
ALIKE = (("checkers", "dots", "stripes"), ("disc", "star", "triangle"))
RUINS: tuple[Callable[[Image.Image, Random], Image.Image], ...] = (
    _drown_in_noise,
    _black_out,
    _blur,
)
