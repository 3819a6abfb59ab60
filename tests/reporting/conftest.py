"""Selections, pages, and one browser for all tests that look at them."""

import json
import os

import numpy as np
import pytest
from chromium import settle, show, start
from conftest import draw
from reports import subject_of

from moderate_cli.cli import _run

FEATURES = ("--backbone", "pixels", "--dtype", "float32", "--runtime", "torch")


@pytest.fixture
def small(tmp_path):
    """Ten images; the window holds scores 3 to 6, image 7 cannot be read, 8 is removed."""
    values = [1, 2, 3, 4, 5, 6, 7, np.nan, 8, 9]
    labels = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    return subject_of(tmp_path, values, labels, ("cat", "dog"), left_out=[8])


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Return a function that writes a report of a dataset, once per arguments."""
    folder, written = tmp_path_factory.mktemp("pages"), {}

    def write(data, *args):
        asked = (data, *args)
        if asked not in written:
            page = folder / f"{len(written)}.html"
            assert _run(["report", os.fspath(data), *FEATURES, *args, "-o", os.fspath(page)]) == 0
            written[asked] = page
        return written[asked]

    return write


@pytest.fixture(scope="session")
def grays(tmp_path_factory):
    """Four classes of 20 images, and one of three with one of the first; and an evaluation."""
    root = tmp_path_factory.mktemp("data") / "train"
    for label, name in enumerate("abcd"):
        for image in range(20):
            draw(root / name / f"{image:02}.png", label, image)
    for image in range(3):
        draw(root / "e" / f"{image}.png", 4, image)
    draw(root / "e" / "x.png", 0, 2)
    evaluate = ("evaluate", os.fspath(root), *FEATURES, "--seeds", "1", "--strategy", "easy")
    assert _run([*evaluate, "--ratio", "0.2,0.5"]) == 0
    return root


@pytest.fixture
def page(pages, grays):
    return pages(grays, "-r", "0.5")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Start a browser, once."""
    browser = start(tmp_path_factory.mktemp("browser") / "profile")
    yield browser
    browser.quit()


@pytest.fixture
def browse(chromium):
    """Return a function that opens a page; the page must give no error and request nothing else."""
    opened = []

    def open_page(page, **how):
        settle(chromium, **how)
        opened.append(page.as_uri())
        show(chromium, page)
        return chromium

    yield open_page
    chromium.execute_script("localStorage.clear()")
    assert [entry["message"] for entry in chromium.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    # Pictures are in the page; the browser's own first tab is another page.
    inside = ("data:", "blob:", "chrome:", "chrome-untrusted:")
    assert {url.partition("#")[0] for url in asked if not url.startswith(inside)} <= set(opened)
