"""Images to perturb: small gray ones in four classes, and real photos."""

from pathlib import Path

import pytest
import skimage
from conftest import paint
from PIL import Image


@pytest.fixture
def many(tmp_path):
    """Forty images in four classes, with names that all classes share."""
    for label, name in enumerate("abcd"):
        for image in range(10):
            paint(tmp_path / "many" / name / f"{image}.png", 60 * label + image)
    return tmp_path / "many"


@pytest.fixture
def photos(tmp_path):
    """Four real photos in one class, small ones, and not square."""
    (tmp_path / "photos" / "a").mkdir(parents=True)
    for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"):
        with Image.open(Path(skimage.__file__).parent / "data" / name) as photo:
            small = photo.convert("RGB").resize((120, 100))
        small.save(tmp_path / "photos" / "a" / f"{Path(name).stem}.png")
    return tmp_path / "photos"
