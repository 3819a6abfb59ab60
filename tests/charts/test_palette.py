import itertools

import numpy as np

from moderate_cli.charts.palette import PALETTE

# Matrices of OKLab (Ottosson, 2020), from linear sRGB.
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_LAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def linear(color):
    values = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(color):
    return np.array(TO_LAB) @ np.cbrt(np.array(TO_CONES) @ linear(color))


def contrast(one, other):
    low, high = sorted(linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_twenty_colors_can_be_told_apart():
    assert len(PALETTE) == len(set(PALETTE)) == 20
    apart = [np.linalg.norm(oklab(a) - oklab(b)) for a, b in itertools.combinations(PALETTE, 2)]
    assert min(apart) > 0.13


def test_every_color_is_seen_on_white_and_on_black():
    assert min(contrast(color, "#FFFFFF") for color in PALETTE) > 2
    assert min(contrast(color, "#14171B") for color in PALETTE) > 2.6
