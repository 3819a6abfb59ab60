import numpy as np

from moderate_cli.evaluation.cells import FULL, Cell
from moderate_cli.evaluation.pools import FOLDS, Pool
from moderate_cli.selection import Choice


def test_a_pool_is_four_fifths_of_each_class(source):
    pool = Pool(source, 3)
    full = pool.select(Cell(FULL, "1", "", 3), Choice(ratio=1))
    # Of 39 readable images 31.2, rounded up.
    assert np.bincount(source.labels[full]).tolist() == [32, 24, 16, 8]
    assert np.array_equal(np.union1d(full, pool.held_out), np.flatnonzero(source.readable))
    assert len(np.intersect1d(full, pool.held_out)) == 0
    kept = pool.select(Cell("random", "0.5", "", 3), Choice(ratio=1))
    assert len(kept) == 40
    assert np.isin(kept, full).all()
    assert not np.array_equal(Pool(source, 4).held_out, pool.held_out)


def test_the_five_fifths_have_no_image_in_common(source):
    parts = [Pool(source, 3, fold).held_out for fold in range(FOLDS)]
    # Of 39 readable images of the first class, seven each.
    for part in parts:
        assert np.bincount(source.labels[part]).tolist() == [7, 6, 4, 2]
    assert len(np.unique(np.concatenate(parts))) == 5 * 19
