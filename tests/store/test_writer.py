"""A set is written block by block, sealed, and moved in its place."""

from contextlib import closing

import numpy as np
import pytest

from moderate_cli.dataset import scan
from moderate_cli.errors import StoreError
from moderate_cli.networks.table import FeatureSpec, Preprocessing
from moderate_cli.store import blocks
from moderate_cli.store.blocks import REUSED, EmbeddedBlock, Seconds
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.partial import ABSENT, PartialSet
from moderate_cli.store.writer import Writer, create, move_in_place

PREPROCESSING = Preprocessing(8, 8, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def images(data, monkeypatch):
    """A dataset of eight images in blocks of three."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)
    return scan(data)


@pytest.fixture
def manifest(images):
    spec = FeatureSpec("pixels", dtype="float32")
    return Manifest(spec, "none", "", "torch", PREPROCESSING, 8, 2, images.classes)


def block(number, *rows, unreadable=None):
    rows, unreadable = np.array(rows), unreadable or {}
    return EmbeddedBlock(
        number,
        rows,
        np.where(np.isin(rows, list(unreadable))[:, None], np.nan, rows[:, None] * [1.0, 10.0]),
        rows[:, None] * np.ones(4, dtype=np.int64),
        (rows[:, None] * np.ones(16)).astype(np.uint8),
        np.ones(len(rows), dtype=np.uint8),
        unreadable,
        Seconds(),
    )


def begun(images, manifest, *reused):
    partial = images.root.parent / "set.partial"
    partial.mkdir()
    create(partial, images, manifest, reused)
    return PartialSet(partial)


def test_rows_are_pending_until_their_block_is_written(images, manifest):
    partial = begun(images, manifest, block(REUSED, 1, 6))
    assert partial.pending.tolist() == [0, 2, 3, 4, 5, 7]
    assert partial.is_of(images, manifest, np.full((8, 4), [[row] * 4 for row in range(8)]), 4)
    with closing(Writer(partial.folder, images.paths, manifest)) as writer:
        writer.write(block(1, 3, 4, 5))
        assert partial.pending.tolist() == [0, 2, 7]
        writer.write(block(0, 0, 2))
        assert not partial.complete
        writer.write(block(2, 7))
        assert partial.complete
    np.testing.assert_array_equal(partial.features, np.arange(8)[:, None] * [1.0, 10.0])


def test_a_sealed_set_takes_its_place(images, manifest):
    partial = begun(images, manifest, block(REUSED, *range(7)))
    writer = Writer(partial.folder, images.paths, manifest)
    writer.write(block(2, 7, unreadable={7: "is empty"}))
    writer.seal()
    store = move_in_place(images.root.parent / "set")
    assert not partial.folder.exists()
    assert not partial.complete
    assert store.unreadable == {7: "is empty"}
    assert store.stats[:, 0].tolist() == list(range(8))
    assert store.features[:7, 1].tolist() == [0, 10, 20, 30, 40, 50, 60]
    store.check_features()
    assert [path.name for path in store.folder.glob("j*")] == []


def test_a_feature_that_is_not_finite_is_refused_with_its_image(images, manifest):
    partial = begun(images, manifest)
    with closing(Writer(partial.folder, images.paths, manifest)) as writer:
        bad = block(0, 0, 1, 2)
        bad.features[1, 0] = np.inf
        with pytest.raises(StoreError, match=r"^cat/1\.png: its features are not finite"):
            writer.write(bad)
    assert len(partial.pending) == 8


def test_a_missing_set_is_absent(tmp_path):
    partial = PartialSet(tmp_path / "none.partial")
    assert not partial.complete
    with pytest.raises(ABSENT):
        _ = partial.pending
