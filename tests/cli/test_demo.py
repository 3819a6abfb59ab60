import os
import re

import numpy as np
from PIL import Image

from moderate_cli.demo import PER_CLASS, PLANTED_PER_CLASS, SHAPES, draw_dataset


def test_the_demo_runs_the_whole_chain_and_reports_the_result(shell, tmp_path):
    done = shell("env -u MODERATE_BACKBONE -u MODERATE_DTYPE moderate demo")
    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "moderate-demo/train: 360 images in 6 classes",
        "moderate-demo/train-0.3: the 108 images whose distance to their class center is closest to"
        " the median of their class",
    ]
    assert lines[4:] == [
        "now try: moderate select --ratio 0.3 --strategy adaptive moderate-demo/train"
    ]
    told = [re.fullmatch(r"(\d+) of the 24 (\w+) images kept \(random: about 7\)", line)
            for line in lines[2:4]]  # fmt: skip
    assert [found[2] for found in told] == ["mislabeled", "ruined"]
    mislabeled, ruined = (int(found[1]) for found in told)
    assert mislabeled <= 2
    assert ruined <= 4
    assert len(list((tmp_path / "moderate-demo/train-0.3").glob("*/*.jpg"))) == 108
    again = shell("moderate demo")
    assert again == (1, "", "moderate: error: moderate-demo already exists; choose another DIR\n")


def test_the_pictures_are_always_the_same(tmp_path):
    one, other = draw_dataset(tmp_path / "a"), draw_dataset(tmp_path / "b")
    assert one == other
    assert len(one.mislabeled) == len(one.ruined) == PLANTED_PER_CLASS * len(SHAPES)
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
