import csv
import os
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from conftest import paint
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import models
from torchvision.datasets import ImageFolder

from moderate_cli.dataset import Dataset, scan
from moderate_cli.errors import ArgumentError, DatasetError, DeviceError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.classifiers import load_classifier
from moderate_cli.networks.runtimes import Normalised
from moderate_cli.perturbation import RECORD, Attack, perturb, plan
from moderate_cli.perturbation.corruptions import CORRUPTIONS


def record(folder):
    with (folder / RECORD).open(newline="", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def many(tmp_path):
    """Forty images in four classes, with names that all classes share."""
    for label, name in enumerate("abcd"):
        for image in range(10):
            paint(tmp_path / "many" / name / f"{image}.png", 60 * label + image)
    return tmp_path / "many"


def test_exactly_as_many_labels_are_wrong_as_asked_for(many, tmp_path):
    made = perturb(scan(many), tmp_path / "p", label_noise="0.25", pair_noise="0.1")
    rows = record(tmp_path / "p")
    assert len(rows) == 14
    order = "abcda"
    assert sum(order[order.index(r["original_class"]) + 1] == r["class"] for r in rows) >= 4
    for row in rows:
        assert row["class"] != row["original_class"]
        assert row["corruption"] == ""
        same = tmp_path / "p" / row["path"], many / row["original_path"]
        assert os.path.samefile(*same)
    found = ImageFolder(tmp_path / "p")
    assert len(found.samples) == 40
    assert found.class_to_idx == ImageFolder(many).class_to_idx
    assert sorted(image.path for image in made) == sorted(
        os.path.relpath(path, tmp_path / "p") for path, _ in found.samples
    )


def test_ruined_pictures_are_shared_among_the_corruptions(many, tmp_path):
    before = {path: path.read_bytes() for path in many.rglob("*.png")}
    perturb(scan(many), tmp_path / "p", corrupt=0.5, link="none")
    rows = record(tmp_path / "p")
    kinds = [row["corruption"] for row in rows]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(CORRUPTIONS, 4)
    for row in rows:
        assert row["class"] == row["original_class"]
        with Image.open(tmp_path / "p" / row["path"]) as ruined:
            assert ruined.size == (9, 9)
    assert {path: path.read_bytes() for path in many.rglob("*.png")} == before


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_what_is_not_ruined_is_linked_or_copied(many, tmp_path, link):
    made = perturb(scan(many), tmp_path / "p", corrupt=0.1, link=link)
    for image in made:
        path, source = tmp_path / "p" / image.path, many / image.source
        if image.corruption:
            assert not path.is_symlink()
            assert path.stat().st_nlink == 1
        else:
            assert path.is_symlink() == (link == "symbolic")
            assert os.path.samefile(path, source) == (link != "none")


def test_the_seed_decides(many, tmp_path):
    contents = []
    for number, seed in enumerate((1, 1, 2)):
        perturb(scan(many), tmp_path / f"{number}", label_noise=0.2, corrupt=0.2, seed=seed)
        files = sorted((tmp_path / f"{number}").rglob("*.*"))
        contents.append(
            [(path.relative_to(tmp_path / f"{number}"), path.read_bytes()) for path in files]
        )
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=40),
    st.fractions(0, 1),
    st.fractions(0, 1),
    st.fractions(0, 1),
    st.integers(0, 5),
)
def test_every_image_has_a_path_of_its_own(labels, noise, pairs, corrupt, seed):
    samples = {f"{'abcd'[label]}/{n // 4}{'.jpg' if n % 2 else '.png'}": label
               for n, label in enumerate(sorted(labels))}  # fmt: skip
    dataset = Dataset(None, tuple("abcd"), list(samples), np.array(list(samples.values())))
    pairs = min(pairs, 1 - noise)
    planned = plan(dataset, noise, pairs, corrupt, None, seed)
    assert len({image.path for image in planned}) == len(samples)
    for image in planned:
        assert image.path.startswith("abcd"[image.label] + "/")
    half, n = Fraction(1, 2), len(samples)
    wrong = sum(image.label != samples[image.source] for image in planned)
    # Of two rounded counts the second has what the first leaves.
    assert wrong == min(n, int(n * noise + half) + int(n * pairs + half))
    assert sum(bool(image.corruption) for image in planned) == int(n * corrupt + half)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(32, 32), (90, 120), (1, 1), (1, 50), (7, 300)])
def test_a_corruption_changes_the_picture_not_its_shape(name, shape, rng):
    picture = np.full((*shape, 3), 90, dtype=np.uint8)
    picture[:, ::2] = (255, 128, 30)
    before = picture.copy()
    ruined = CORRUPTIONS[name](picture, np.random.default_rng(0))
    assert ruined.shape == picture.shape
    assert ruined.dtype == np.uint8
    assert np.array_equal(picture, before)
    again = CORRUPTIONS[name](picture, np.random.default_rng(0))
    assert np.array_equal(ruined, again)
    if min(shape) > 9:
        assert np.abs(ruined.astype(int) - picture).mean() > 10


def test_an_image_that_cannot_be_read_leaves_nothing(many, moderate, tmp_path):
    (many / "b" / "3.png").write_text("<html>")
    done = moderate("perturb", many, "-o", tmp_path / "p", "--corrupt", "1")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        f"moderate: {many}/b/3.png: is not an image in a known format; remove it first\n"
    )
    assert os.listdir(tmp_path) == ["many"]
    assert moderate("perturb", many, "-o", tmp_path / "p", "--label-noise", "0.5").status == 0


def test_a_picture_that_is_too_large_is_named_with_the_way_out(many, moderate, tmp_path):
    args = ("perturb", many, "-o", tmp_path / "p", "--corrupt", "1", "--max-pixels")
    done = moderate(*args, "80")
    assert (done.status, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"moderate: {many}/./\d+\.png: has 81 pixels; --max-pixels 81 reads it; remove it first\n",
        done.stderr,
    )
    assert moderate(*args, "81").status == 0


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (MemoryError(), DatasetError, "to ruin it needs more memory than there is; remove it"),
        (DeviceError("the GPU failed (x)"), DeviceError, "the GPU failed (x)"),
    ],
)
def test_a_picture_that_cannot_be_ruined_is_named(error, kind, said, many, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setitem(CORRUPTIONS, "fog", fail)
    with pytest.raises(kind, match=rf"{many}/./\d+\.png: {re.escape(said)}"):
        perturb(scan(many), tmp_path / "p", corrupt=1)
    assert os.listdir(tmp_path) == ["many"]


def test_a_gpu_that_fails_in_an_attack_is_told_of(photos, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr("moderate_cli.perturbation.attacks.resize_and_crop", fail)
    with pytest.raises(DeviceError) as caught:
        perturb(scan(photos), tmp_path / "p", attack=Attack("fgsm", device="cpu"))
    assert re.fullmatch(
        rf"{photos}/a/\w+\.png: the GPU is out of memory; --device cpu may have more, or remove"
        " this picture first",
        str(caught.value),
    )


def test_what_is_transparent_is_ruined_as_it_is_seen(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "one" / "a" / "1.png")
    (made,) = perturb(scan(tmp_path / "one"), tmp_path / "p", corrupt=1)
    with Image.open(tmp_path / "p" / made.path) as found:
        assert np.median(np.asarray(found)) > 200


def test_a_palette_with_transparency_is_ruined_without_a_warning(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    picture = Image.new("L", (9, 9)).convert("P")
    picture.save(tmp_path / "one" / "a" / "1.png", transparency=b"\0\x80")
    perturb(scan(tmp_path / "one"), tmp_path / "p", corrupt=1)
    assert len(record(tmp_path / "p")) == 1


def test_the_command_says_what_it_did(many, moderate, tmp_path):
    args = ("perturb", many, "-o", tmp_path / "p", "--label-noise", "0.1", "--corrupt", "0.5")
    done = moderate(*args)
    assert done == (
        0,
        "",
        f"moderate: 40 images in {tmp_path}/p: 4 in a wrong class, 20 ruined; perturbed.csv says"
        " which\n",
    )
    again = moderate(*args)
    assert again.status == 1
    assert again.stderr == f"moderate: {tmp_path}/p: exists; choose another folder\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "Missing option '--label-noise', '--pair-noise', '--corrupt' or '--attack'"),
        (("--corrupt", "1.5"), "1.5 is not in [0, 1]"),
        (("--label-noise", "0.6", "--pair-noise", "0.6"), "together: 1.2 is not in [0, 1]"),
        (("--seed", "-1", "--corrupt", "1"), "-1 is not in the range 0<=x<=4294967295"),
        (("--corrupt", "0.6", "--attack", "pgd", "--attack-fraction", "0.6"), "together: 1.2"),
        (("--attack", "pgd", "--network", "pixels"), "'pixels' is not one of"),
        (("--corrupt", "1", "--epsilon", "4"), "--epsilon wants --attack"),
    ],
)
def test_wrong_arguments(args, message, many, moderate, tmp_path):
    done = moderate("perturb", many, "-o", tmp_path / "p", *args)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (tmp_path / "p").exists()


def test_it_never_writes_into_the_dataset(many, moderate):
    before = sorted(many.rglob("*"))
    done = moderate("perturb", many, "-o", many / "p", "--corrupt", "1")
    assert done.status == 1
    assert sorted(many.rglob("*")) == before
    assert "p: is inside the dataset; choose a folder outside it" in done.stderr


def test_one_class_has_no_wrong_labels(tmp_path):
    paint(tmp_path / "one" / "a" / "1.png", 1)
    with pytest.raises(ArgumentError, match="one class only"):
        perturb(scan(tmp_path / "one"), tmp_path / "p", label_noise=0.5)


def test_odd_names_stay_whole(tmp_path):
    names = ["-rf.png", "new\nline.png", os.fsdecode(b"\xff.png"), "deep/er/x.png", "\x1b[2J.png"]
    for label in ("a", os.fsdecode(b"b\xfe")):
        for name in names:
            paint(tmp_path / "odd" / label / name, 9)
    made = perturb(scan(tmp_path / "odd"), tmp_path / "p", label_noise=0.5, corrupt=0.5)
    for image in made:
        assert (tmp_path / "p" / image.path).is_file()
    changed = {image.path for image in made if image.path != image.source or image.corruption}
    assert {row["path"] for row in record(tmp_path / "p")} == changed


def test_names_that_are_as_long_as_they_can_be_are_cut_where_they_collide(tmp_path):
    data = tmp_path / "data"
    long = "\u00e9" * 125 + "x"  # with its suffix, 255 bytes
    for name in ("a", "b"):
        paint(data / name / "deep" / f"{long}.png", 9)
    made = perturb(scan(data), tmp_path / "out", label_noise=0.5)
    moved = [image for image in made if image.path != image.source]
    (one,) = moved
    assert one.path == "ab"[one.label] + "/deep/" + "\u00e9" * 124 + "-1.png"
    assert sorted(image.path for image in made) == sorted(scan(tmp_path / "out").paths)


@pytest.mark.parametrize("corrupt", [0.5, 1])
def test_short_names_stay_as_they_are_where_a_long_one_is_cut(tmp_path, corrupt):
    data = tmp_path / "data"
    for name in ("x" * 251 + ".jpg", "x" * 251 + ".bmp", "y.jpg", "y.bmp"):
        paint(data / "a" / name, 9)
    made = perturb(scan(data), tmp_path / "out", corrupt=corrupt)
    assert max(len(os.path.basename(image.path)) for image in made) == 255
    assert sorted(image.path for image in made) == sorted(scan(tmp_path / "out").paths)
    if corrupt == 1:
        assert sorted(os.path.basename(image.path) for image in made) == [
            "x" * 249 + "-1.png", "x" * 251 + ".png", "y-1.png", "y.png"
        ]  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """Four real photos in one class, small ones, and not square."""
    (tmp_path / "photos" / "a").mkdir(parents=True)
    for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"):
        with Image.open(Path(skimage.__file__).parent / "data" / name) as photo:
            small = photo.convert("RGB").resize((120, 100))
        small.save(tmp_path / "photos" / "a" / f"{Path(name).stem}.png")
    return tmp_path / "photos"


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
    perturb(scan(photos), tmp_path / "p", attack=Attack(name))
    assert {row["corruption"] for row in record(tmp_path / "p")} == {name}
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
    attack = Attack("pgd", fraction=0.5, epsilon=2)
    for name in "pq":
        perturb(scan(photos), tmp_path / name, attack=attack, seed=3)
    assert len(record(tmp_path / "p")) == 2
    for path in (tmp_path / "p" / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "q" / "a" / path.name).read_bytes()


def test_an_attack_wants_a_network_with_a_head(photos, moderate, tmp_path):
    model = models.resnet18(num_classes=3)
    state = {key: value for key, value in model.state_dict().items() if key[:3] != "fc."}
    torch.save(state, tmp_path / "body.pt")
    torch.save(model.state_dict(), tmp_path / "whole.pt")
    args = ("perturb", photos, "-o", tmp_path / "p", "--attack", "fgsm", "--network", "resnet18")
    done = moderate(*args, "--weights", tmp_path / "body.pt")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == ("moderate: body.pt: has no head; save the whole model.state_dict()\n")
    assert not (tmp_path / "p").exists()
    done = moderate(*args, "--weights", tmp_path / "whole.pt")
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr == (
        f"moderate: 4 images in {tmp_path}/p: 0 in a wrong class, 4 ruined; perturbed.csv says"
        " which\n"
    )
