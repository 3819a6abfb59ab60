import numpy as np
import pytest

from moderate_cli.selection import BALANCES, STRATEGIES, Choice, class_shares
from moderate_cli.selection.selecting import choose_from

PICKS = [name for name, entry in STRATEGIES.items() if entry.within_classes]


@pytest.mark.parametrize("strategy", PICKS)
def test_shares_are_those_of_select(strategy, rng):
    labels = np.minimum(rng.geometric(0.4, 90) - 1, 4) * 3
    values, features = rng.integers(0, 30, 90).astype(float), rng.normal(size=(90, 3))
    values[::11] = np.nan
    for balance in BALANCES:
        for least in (0, 1, 9):
            for count in (1, 7, 40, 81):
                choice = Choice(
                    count=count, strategy=strategy, balance=balance, min_per_class=least
                )
                mask = choose_from(choice, values, labels, features)
                classes, counts = class_shares(choice, values, labels)
                kept = [np.count_nonzero(labels[mask] == label) for label in classes]
                assert counts.tolist() == kept
                assert sum(kept) == count
