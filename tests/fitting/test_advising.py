import shutil

import numpy as np
import pytest
from PIL import Image

import moderate_cli
from moderate_cli.fitting import preparing

NAMED = "try other features, such as those of `moderate fit`, of another --backbone or of your own"
OTHERS = "try other features, such as those of another --backbone or of your own --weights"


@pytest.fixture
def drawn(tmp_path, rng):
    """Draw gray pictures of so many pixels a side, whose levels say nothing of their classes."""

    def draw(side):
        for name in "abc":
            (tmp_path / "data" / name).mkdir(parents=True)
            for image in range(20):
                pixels = np.full((side, side, 3), rng.integers(255), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / name / f"{image}.png")
        return tmp_path / "data"

    return draw


def texts(moderate, *args):
    """Return all that commands say where features hardly know the classes."""
    page = args[0].parent / "page.html"
    for command in (
        ("suspects",),
        ("select", "-r", "0.3", "--strategy", "adaptive"),
        ("suggest", "--seeds", "1"),
        ("evaluate", "--seeds", "1", "-r", "0.3", "--strategy", "easy"),
        ("report", "-r", "0.3", "-o", page),
    ):
        done = moderate(*command, *args)
        assert done.status == 0, done.stderr
        said = f"{done.stdout} {done.stderr}"
        if command[0] == "report":
            said = page.read_text().replace('<code><span class="word">', "`")
            said = said.replace('</span> <span class="word">', " ").replace("</span></code>", "`")
        yield " ".join(said.split())


def test_every_command_names_it_where_small_pictures_are_hardly_known(drawn, moderate):
    for text in texts(moderate, drawn(96), "--backbone", "pixels"):
        assert NAMED in text
        assert OTHERS not in text


def test_none_names_it_for_larger_pictures(drawn, moderate):
    for text in texts(moderate, drawn(97), "--backbone", "pixels"):
        assert OTHERS in text
        assert "moderate fit" not in text


def test_it_is_not_named_where_there_is_a_network_or_no_pictures(drawn, monkeypatch, moderate):
    monkeypatch.setattr(preparing, "DEFAULT_BACKBONE", "pixels")
    data = drawn(32)
    moderate("embed", data, "--backbone", "pixels")
    (folder,) = data.with_name("data.moderate").glob("pixels-*")
    arrays = ("--features", folder / "features.npy", "--labels", folder / "labels.npy")
    assert OTHERS in moderate("suspects", *arrays).stderr
    assert NAMED in moderate("suspects", data, "--backbone", "pixels").stderr
    how = ("--network", "cnn", "--epochs", "1", "--device", "cpu")
    assert moderate("fit", data, *how).status == 0
    for backbone in ("pixels", "fitted"):
        assert OTHERS in moderate("suspects", data, "--backbone", backbone).stderr
    shutil.rmtree(data.with_name("data.moderate") / "fitted")
    found = moderate_cli.suspects(data, backbone="pixels")
    assert NAMED in found.said
    shutil.rmtree(data)
    assert not moderate_cli.suspects(moderate_cli.open_store(folder)).source.fit_may_help
