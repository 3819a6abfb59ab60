"""A report of 200,000 images: the time it takes, and how the page responds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from moderate_cli import Choice, scan
from moderate_cli.choosing import Chooser
from moderate_cli.inputs import Source
from moderate_cli.reporting import Subject, map_of, write_report
from moderate_cli.reporting.findings import suspects_in
from moderate_cli.results import LabeledFeatures
from moderate_cli.store.matrix import Matrix
from tests.benchmarks.stages import Comparison, timed
from tests.chromium import settle, show, start

IMAGES, CLASSES, DIM, PHOTOS = 200_000, 100, 1_280, 400
MOVES = 50
RATIO = 0.3


def comparisons(folder: Path) -> Iterator[Comparison]:
    """Make the page, then move its slider."""
    dataset, features, page = _dataset(folder / "data"), _features(folder), folder / "report.html"
    every = np.ones(IMAGES, dtype=np.bool_)
    labels = dataset.labels
    paths = dataset.paths

    def ours() -> None:
        before = time.process_time()
        data = LabeledFeatures(
            np.load(features, mmap_mode="r"), labels, every, dataset.classes, paths
        )
        source = Source((data,), dataset=dataset)
        selection = Chooser(source).choose(Choice(ratio=RATIO))
        subject = Subject(selection, suspects_in(data))
        write_report(page, subject, map_of(subject), {})
        size, spent = page.stat().st_size / 1e6, time.process_time() - before
        print(f"{size:.1f} MB, in {spent:.0f} s of processor time", file=sys.stderr)

    def read() -> None:
        with features.open("rb", buffering=0) as file:
            block = bytearray(1 << 20)
            while file.readinto(block):
                pass

    yield Comparison(
        "report of 200,000 images", "one sequential read of the features",
        timed(ours), timed(read), "60 s", once=True,
    )  # fmt: skip
    browser = start(folder / "profile")
    try:
        settle(browser)
        show(browser, page)
        yield Comparison(
            "a move of its slider in Chromium", "a frame, 1/60 s",
            lambda: _move(browser), lambda: 1 / 60, "6",
        )  # fmt: skip
    finally:
        browser.quit()


def _dataset(root: Path):
    """Hard links to a few photos, as many in each class."""
    rng = np.random.default_rng(0)
    photos = root.with_name("photos")
    photos.mkdir()
    for photo in range(PHOTOS):
        small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(small).resize((500, 375)).save(photos / f"{photo}.jpg")
    for label in range(CLASSES):
        (root / f"{label:03}").mkdir(parents=True)
        for image in range(IMAGES // CLASSES):
            photo = (label + image) % PHOTOS
            os.link(photos / f"{photo}.jpg", root / f"{label:03}" / f"{image:05}.jpg")
    return scan(root)


def _features(folder: Path) -> Path:
    """float16 features around a center for each class, on disk."""
    rng = np.random.default_rng(0)
    centers = 0.1 * rng.standard_normal((CLASSES, DIM), dtype=np.float32)
    rows = np.arange(IMAGES // CLASSES)
    matrix = Matrix.create(folder / "features.npy", (IMAGES, DIM), np.float16)
    for label in range(CLASSES):
        around = rng.standard_normal((len(rows), DIM), dtype=np.float32)
        matrix.write(label * len(rows) + rows, centers[label] + around)
    matrix.close()
    return folder / "features.npy"


def _move(browser) -> float:
    """Return the seconds from a move of the slider until counts and chart are drawn, on average."""
    return browser.execute_script(
        "const from = performance.now();"
        "for (let i = 1; i <= arguments[0]; i += 1) moveTo(2 * i - 1);"
        "document.body.getBoundingClientRect();"
        "return (performance.now() - from) / 1000 / arguments[0]",
        MOVES,
    )
