import json
from dataclasses import replace

import pytest

from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.networks.table import FeatureSpec, Preprocessing
from moderate_cli.store.manifest import FORMAT, Manifest

MANIFEST = Manifest(
    FeatureSpec("pixels"),
    "none",
    "",
    "torch",
    Preprocessing(8, 8, "bilinear", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    3,
    192,
    ("caf\u00e9", "odd\udcff\n"),
)


def written(change, *, summed):
    """The manifest with a change, in the form that is written; with the sum of that, or the old."""
    fields = json.loads(MANIFEST.to_json()) | change
    if summed:
        del fields["blake2b"]
        fields["blake2b"] = content_digest(json.dumps(fields).encode("ascii")).hex()
    return (json.dumps(fields, indent=2) + "\n").encode("ascii")


def test_a_manifest_survives_the_disk():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    assert written({}, summed=True) == MANIFEST.to_json()
    # Names that are not valid UTF-8 can be written all the same.
    assert MANIFEST.to_json().isascii()


def test_a_preprocessing_that_gives_up_the_shape_survives_too_and_no_other_names_it():
    squashed = replace(MANIFEST, preprocessing=replace(MANIFEST.preprocessing, squash=True))
    assert Manifest.from_json(squashed.to_json()) == squashed
    assert not squashed.same_features(MANIFEST)
    assert json.loads(squashed.to_json())["preprocessing"]["squash"] is True
    assert b"squash" not in MANIFEST.to_json()  # as in sets that were made before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": FORMAT + 1}, rf"^is not of format {FORMAT}$"),
        ({"format": 1}, rf"^is not of format {FORMAT}$"),
        ({"format": True}, rf"^is not of format {FORMAT}$"),
        ({"format": None}, rf"^is not of format {FORMAT}$"),
        ({"spec": {"backbone": "pixels"}}, r"^was changed since it was written$"),
        ({"spec": {"backbone": "unheard-of"}}, r"^backbone: 'unheard-of' is unknown; "),
        ({"spec": []}, r"must be a mapping, not list$"),
        ({"preprocessing": None}, r"^'NoneType' object is not subscriptable$"),
        ({"preprocessing": {"mean": 1}}, r"^'int' object is not iterable$"),
        ({"preprocessing": {"mean": []}}, r"^'std'$"),
        ({"classes": 3}, r"^'int' object is not iterable$"),
        ({"extra": 1}, r"'extra'$"),
    ],
)
def test_a_manifest_of_another_kind_is_refused_with_its_reason(change, reason):
    with pytest.raises(ValueError, match=reason):
        Manifest.from_json(written(change, summed=True))


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "some"},
        {"weights_sha256": "00"},
        {"runtime": "openvino"},
        {"rows": 4},
        {"rows": "3"},
        {"dim": 193},
        {"classes": ["caf\u00e9", "even"]},
        {"sums": {"paths.txt": "00"}},
        {"blake2b": "00" * 16},
    ],
)
def test_a_manifest_that_differs_from_its_sum_is_refused(change):
    with pytest.raises(ValueError, match=r"^was changed since it was written$"):
        Manifest.from_json(written(change, summed=False))


@pytest.mark.parametrize("content", [b"[]", b"3", b"null", b'"format"'])
def test_what_is_json_but_no_manifest_is_refused(content):
    with pytest.raises(ValueError, match=rf"^is not of format {FORMAT}$"):
        Manifest.from_json(content)


@pytest.mark.parametrize("content", [b"", MANIFEST.to_json()[:-3], b"\xff"])
def test_what_is_cut_or_no_json_is_refused(content):
    with pytest.raises(ValueError, match=r"\w"):
        Manifest.from_json(content)


@pytest.mark.parametrize("content", [MANIFEST.to_json()[:-1], MANIFEST.to_json() + b"\n"])
def test_not_a_byte_of_a_manifest_may_differ(content):
    with pytest.raises(ValueError, match=r"^was changed since it was written$"):
        Manifest.from_json(content)
