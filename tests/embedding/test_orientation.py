"""The EXIF orientation of images: part of a feature set's name, kept with it, and told."""

import json

import numpy as np
import pytest
from listeners import Told
from PIL import Image

from moderate_cli import embed, scan
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.embedding import EmbedOptions
from moderate_cli.errors import ArgumentError
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.training import read_pictures
from moderate_cli.images.thumbnails import thumbnails
from moderate_cli.notices import Notice
from moderate_cli.reporting import pictures
from moderate_cli.store import open_store

PIXELS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
IGNORED = "pixels-float32-float32"
TURNED = f"{IGNORED}-exif"


@pytest.fixture
def phone(tmp_path):
    """Two pictures, dark at the left: one is stored so, and one turned, with a tag."""
    upright = Image.new("RGB", (8, 8), "white")
    upright.paste("black", (0, 0, 4, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    for folder in ("a", "b"):
        (tmp_path / "train" / folder).mkdir(parents=True)
    upright.save(tmp_path / "train" / "a" / "0.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "train" / "b" / "0.png", exif=exif)
    return tmp_path / "train"


def old(folder):
    """Rewrite a set as the version before wrote it, which knew no orientation."""
    (folder / "orientations.npy").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["sums"]["orientations.npy"]
    del manifest["blake2b"]
    manifest["blake2b"] = content_digest(json.dumps(manifest).encode("ascii")).hex()
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def test_images_are_turned_only_if_asked_for_and_sets_have_other_names(phone):
    ignored, turned = embed(phone, **PIXELS), embed(phone, orientation="exif", **PIXELS)
    assert (ignored.folder.name, turned.folder.name) == (IGNORED, TURNED)
    assert not np.array_equal(ignored.features[0], ignored.features[1])
    assert np.array_equal(turned.features[0], turned.features[1])
    assert np.array_equal(turned.features[0], ignored.features[0])
    assert ignored.orientations.tolist() == turned.orientations.tolist() == [1, 6]


def test_the_manifest_has_the_choice_only_if_it_is_not_the_default(phone):
    made = [embed(phone, orientation=how, **PIXELS).folder for how in ("ignore", "exif")]
    for folder, known in zip(made, (None, "exif"), strict=True):
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["spec"].get("orientation") == known
        assert manifest["preprocessing"].get("orientation") == known


def test_tags_are_told_once_and_not_if_they_are_used(phone):
    notices = []
    for how in ("ignore", "ignore", "exif"):
        embed(phone, listener=Told(notice=notices), orientation=how, **PIXELS)
    assert notices == [Notice("turned", 1, 2)]


def test_tags_stay_when_rows_are_reused(phone):
    embed(phone, **PIXELS)
    (phone / "b" / "0.png").rename(phone / "b" / "moved.png")
    Image.new("RGB", (8, 8)).save(phone / "a" / "9.png")
    assert embed(phone, **PIXELS).orientations.tolist() == [1, 1, 6]


def test_a_set_of_the_version_before_is_used_as_it_is(phone, moderate):
    folder = embed(phone, **PIXELS).folder
    old(folder)
    notices = []
    store = embed(phone, listener=Told(notice=notices), **PIXELS)
    assert (store.orientations.tolist(), notices) == ([0, 0], [])
    assert store.identity == open_store(folder).identity
    assert "oriented        unknown\n" in moderate("info", folder).stdout
    Image.new("RGB", (8, 8)).save(phone / "a" / "9.png")
    assert embed(phone, **PIXELS).orientations.tolist() == [0, 1, 0]


def test_unreadable_images_have_none(phone):
    (phone / "a" / "0.png").write_bytes(b"")
    store = embed(phone, on_error="skip", **PIXELS)
    assert store.orientations.tolist() == [0, 6]


def test_commands_say_how_many_there_are(phone, moderate):
    done = moderate("embed", phone)
    assert done.stderr.splitlines()[0] == (
        "moderate: 1 of 2 images have an EXIF orientation, which is ignored, as ImageFolder does;"
        " --orientation exif turns them"
    )
    told = "EXIF orientation in pixels-float32-float32  1 image by its EXIF tag, ignored\n"
    assert told in moderate("info", phone).stdout
    moderate("embed", "--orientation", "exif", phone)
    infos = json.loads(moderate("info", "--json", phone).stdout)["feature_sets"]
    assert [(one["oriented"], one["preprocessing"].get("orientation")) for one in infos] == [
        (1, None), (1, "exif"),
    ]  # fmt: skip


def test_the_command_that_first_embeds_says_it_once(phone, moderate):
    """A listing opens no file, so nothing is known before; later commands do not repeat it."""
    told = []
    for command in (["info"], ["select", "-r", "1"], ["suspects"], ["duplicates"], ["info"]):
        done = moderate(*command, phone)
        told.append("--orientation exif turns them" in done.stderr)
    assert told == [False, True, False, False, False]


def test_a_trained_network_sees_the_same_pictures(phone):
    readable = np.ones(2, dtype=np.bool_)
    recipes = [Recipe(size=8, orientation=how) for how in ("ignore", "exif")]
    found = [
        read_pictures(scan(phone), np.arange(2), readable, recipe, 1000).pixels
        for recipe in recipes
    ]
    assert not np.array_equal(found[0][0], found[0][1])
    assert np.array_equal(found[1][0], found[1][1])


def test_a_file_of_options_may_ask_for_it(phone, moderate, tmp_path):
    (tmp_path / "own.toml").write_text('orientation = "exif"')
    assert moderate("embed", "--config", tmp_path / "own.toml", phone).status == 0
    assert [path.name for path in (phone.parent / "train.moderate").glob("pixels*")] == [TURNED]


def test_other_values_are_refused():
    with pytest.raises(ArgumentError, match="orientation: 'auto' is unknown"):
        EmbedOptions(orientation="auto")


def test_pictures_of_a_page_follow(phone, moderate, tmp_path, monkeypatch):
    drawn = []

    def spy(*args, orientation, **options):
        drawn.append(orientation)
        return thumbnails(*args, orientation=orientation, **options)

    monkeypatch.setattr(pictures, "thumbnails", spy)
    for how in ("ignore", "exif"):
        page = tmp_path / f"{how}.html"
        done = moderate("report", "--orientation", how, "-r", "1", phone, "-o", page)
        assert done.status == 0, done.stderr
    assert list(dict.fromkeys(drawn)) == ["ignore", "exif"]
