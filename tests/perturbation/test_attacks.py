import csv
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from moderate_cli import perturb, scan
from moderate_cli.errors import DeviceError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.classifiers import load_classifier
from moderate_cli.networks.runtimes import Normalised
from moderate_cli.perturbation import RECORD


def test_a_gpu_that_fails_in_an_attack_is_named(photos, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr("moderate_cli.perturbation.attacks.resize_and_crop", fail)
    with pytest.raises(DeviceError) as caught:
        perturb(scan(photos), tmp_path / "p", attack="fgsm", device="cpu")
    assert re.fullmatch(
        rf"{photos}/a/\w+\.png: the GPU is out of memory; --device cpu may have more, or remove"
        " this picture first",
        str(caught.value),
    )


def corruptions(folder):
    with (folder / RECORD).open(newline="") as file:
        return [row["corruption"] for row in csv.DictReader(file)]


def seen_in(folder):
    """Class that the default backbone sees in each picture of a folder."""
    module, preprocessing, _, _ = load_classifier("efficientnet_lite0")
    network = Normalised(module.eval(), preprocessing)
    found = {}
    for path in sorted(folder.rglob("*.png")):
        pixels = read_image(str(path), preprocessing).pixels
        with torch.inference_mode():
            found[path.name] = int(network(pixels[None]).argmax())
    return found


@pytest.mark.parametrize("name", ["pgd", "fgsm"])
def test_an_attack_misleads_its_network_by_small_changes(name, photos, tmp_path):
    perturb(scan(photos), tmp_path / "p", attack=name)
    assert corruptions(tmp_path / "p") == [name] * 4
    before, after = seen_in(photos), seen_in(tmp_path / "p")
    assert before.keys() == after.keys()
    misled = sum(before[photo] != after[photo] for photo in before)
    assert misled == 4 if name == "pgd" else misled >= 3
    for photo in before:
        clean, changed = (
            np.asarray(Image.open(root / "a" / photo)).astype(int)
            for root in (photos, tmp_path / "p")
        )
        assert clean.shape == changed.shape
        assert 0 < np.abs(changed - clean).max() <= 8


def test_the_same_seed_makes_the_same_attack(photos, tmp_path):
    attack = {"attack": "pgd", "attack_fraction": 0.5, "epsilon": 2}
    for name in "pq":
        perturb(scan(photos), tmp_path / name, **attack, seed=3)
    assert corruptions(tmp_path / "p") == ["pgd"] * 2
    for path in (tmp_path / "p" / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "q" / "a" / path.name).read_bytes()


def test_an_attack_needs_a_network_with_a_head(photos, moderate, tmp_path):
    model = models.resnet18(num_classes=3)
    state = {key: value for key, value in model.state_dict().items() if key[:3] != "fc."}
    torch.save(state, tmp_path / "body.pt")
    torch.save(model.state_dict(), tmp_path / "whole.pt")
    args = ("perturb", photos, "-o", tmp_path / "p", "--attack", "fgsm", "--network", "resnet18")
    done = moderate(*args, "--weights", tmp_path / "body.pt")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "moderate: error: body.pt: has no head; save the whole model.state_dict()\n"
    )
    assert not (tmp_path / "p").exists()
    done = moderate(*args, "--weights", tmp_path / "whole.pt")
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr.endswith(
        f"moderate: Wrote 4 images, 0 in a wrong class, 4 ruined -> {tmp_path}/p; perturbed.csv"
        " lists the changes, with old and new paths\n"
    )
