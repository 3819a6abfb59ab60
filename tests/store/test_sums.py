import hashlib

import numpy as np

from moderate_cli.store import sums
from moderate_cli.store.sums import block_sums, intact_rows


def blake(array):
    return list(hashlib.blake2b(array.tobytes(), digest_size=16).digest())


def test_each_block_of_rows_has_its_sum(rng):
    features = rng.normal(size=(2500, 3)).astype(np.float16)
    found = block_sums(features)
    assert found.dtype == np.uint8
    assert found.tolist() == [
        blake(features[:1024]), blake(features[1024:2048]), blake(features[2048:])
    ]  # fmt: skip


def test_damage_is_confined_to_its_block(rng, monkeypatch):
    monkeypatch.setattr(sums, "SUM_ROWS", 2)
    features = rng.normal(size=(5, 3))
    known = block_sums(features)
    assert intact_rows(features, known).all()
    features[3, 1] += 1
    assert intact_rows(features, known).tolist() == [True, True, False, False, True]


def test_of_nothing_there_are_no_sums():
    assert block_sums(np.zeros((0, 3))).shape == (0, 16)
