import numpy as np
import pytest

from moderate_cli.scoring import cross_fitting
from moderate_cli.scoring.cross_fitting import CrossFittedHeads, stratified_folds


@pytest.mark.parametrize("seed", range(5))
def test_folds_have_equal_shares_of_each_class(seed):
    rng = np.random.default_rng(seed)
    members = np.concatenate([np.arange(7), rng.integers(0, 7, 100)])
    folds = stratified_folds(members, rng)
    counts = np.stack([np.bincount(members[folds == fold], minlength=7) for fold in range(3)])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1
    assert folds.tolist() != stratified_folds(members, rng).tolist()


def test_batches_go_through_all_images_once(monkeypatch, rng):
    monkeypatch.setattr(cross_fitting, "BATCH", 4)
    members = np.arange(20) % 2
    heads = CrossFittedHeads(rng.random((30, 3)), np.arange(5, 25), members, 1, 0)
    orders = []
    for _ in range(2):
        batches = list(heads.batches())
        assert [len(batch.positions) for batch in batches] == [6, 6, 6, 2]
        assert all(batch.members.tolist() == (batch.positions % 2).tolist() for batch in batches)
        orders.append([row for batch in batches for row in batch.positions])
        assert sorted(orders[-1]) == list(range(20))
    assert orders[0] != orders[1]


@pytest.mark.parametrize("left", range(12))
def test_no_head_that_is_asked_about_an_image_has_seen_it(left, rng):
    features, members = rng.standard_normal((12, 4)), np.arange(12) % 3

    def logits(members):
        heads = CrossFittedHeads(features, np.arange(12), members, 2, seed=1)
        for _ in range(5):
            (batch,) = heads.batches()
            heads.learn(batch._replace(members=members))
        return np.stack(list(heads.held_out(batch)))

    changed = members.copy()
    changed[left] = (members[left] + 1) % 3
    with pytest.MonkeyPatch.context() as patch:
        folds = [stratified_folds(members, rng) for _ in range(2)]
        given = iter(folds + folds)
        patch.setattr(cross_fitting, "stratified_folds", lambda *_: next(given))
        before, after = logits(members), logits(changed)
    for split in range(2):
        same = folds[split] == folds[split][left]  # judged by the head that has not seen it either
        np.testing.assert_array_equal(before[split][same], after[split][same])
        assert (before[split][~same] != after[split][~same]).any(axis=1).all()
