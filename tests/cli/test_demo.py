import os
import re

import numpy as np
from PIL import Image

from moderate_cli.demo import MISLABELED, PER_CLASS, RUINED, SHAPES, draw_dataset


def test_the_demo_compares_honestly_and_leads_to_the_users_own_images(shell, tmp_path):
    done = shell("env -u MODERATE_BACKBONE -u MODERATE_DTYPE moderate demo")
    assert (done.status, done.stderr) == (0, "")
    head, test, _, header, *rows, _, pruned, last = done.stdout.splitlines()
    assert head == (
        "moderate-demo/train: 360 images in 6 classes; 54 have a wrong label, 24 are ruined"
    )
    assert test == "moderate-demo/test: a clean test set"
    assert header.split("  ")[0] == "kept by"
    found = {row[0]: row[1:] for row in (re.split("  +", row) for row in rows)}
    assert [*found] == ["adaptive", "random", "moderate, the default"]
    wrong = {name: int(cells[0]) for name, cells in found.items()}
    accuracy = {name: int(cells[2].removesuffix(" %")) for name, cells in found.items()}
    assert wrong["adaptive"] < wrong["moderate, the default"] < wrong["random"]
    # The noise is not easy: something is wrong in each, and the default is not ahead of chance.
    assert wrong["adaptive"] > 0
    assert accuracy["adaptive"] > accuracy["random"]
    assert abs(accuracy["moderate, the default"] - accuracy["random"]) <= 3
    assert pruned == "moderate-demo/train-0.3: the 108 images that adaptive keeps, 30 % of all"
    assert last == "now try your own images: moderate suggest YOUR/DATA --ratio 0.3"
    assert len(list((tmp_path / "moderate-demo/train-0.3").glob("*/*.jpg"))) == 108
    again = shell("moderate demo")
    assert again == (1, "", "moderate: error: moderate-demo already exists; choose another DIR\n")


def test_the_pictures_are_always_the_same(tmp_path):
    one, other = draw_dataset(tmp_path / "a"), draw_dataset(tmp_path / "b")
    assert one == other
    assert len(one.mislabeled) == MISLABELED * len(SHAPES)
    assert len(one.ruined) == RUINED * len(SHAPES)
    assert not one.mislabeled & one.ruined
    for name in sorted(os.listdir(tmp_path / "a" / "star")):
        first = (tmp_path / "a" / "star" / name).read_bytes()
        assert first == (tmp_path / "b" / "star" / name).read_bytes()


def test_classes_are_balanced_and_pictures_vary(tmp_path):
    draw_dataset(tmp_path)
    for name in SHAPES:
        files = sorted((tmp_path / name).iterdir())
        assert len(files) == PER_CLASS
        means = {np.asarray(Image.open(file)).mean().round(3) for file in files}
        assert len(means) > PER_CLASS // 2
