"""Selections, and the notices that come with them."""

import numpy as np
from listeners import Told

import moderate_cli
from moderate_cli.api.select import select_each
from moderate_cli.inputs import Inputs
from moderate_cli.notices import Notice
from moderate_cli.selection import Choice

# Two images of class 0 are the nearest to the center of their class; no two look the same way.
F = np.array([[1.0, 4], [0, 1], [2, 2], [3, 1], [9, 1], [100, 0], [104, 8], [104, -8]])
Y = np.array([0, 0, 0, 0, 0, 1, 1, 1])
ARRAYS = Inputs(features=(F,), labels=Y)


def test_each_selection_has_its_own_notices_and_those_of_all():
    told = []
    copies = Inputs(features=(np.concatenate([F, F[4:5]]),), labels=np.append(Y, 0))
    easy = {"strategy": "easy", "scope": "global", "dedup": 0.999999, "min_per_class": 0}
    few, all_of_them = select_each(
        copies, [Choice(count=2, **easy), Choice(ratio=1, **easy)], Told(told)
    )
    duplicates = Notice("duplicates", 1, 1)
    lost = Notice("lost classes", 1, names=("1",), share=1.0)
    assert few.notices == (duplicates, lost)
    assert all_of_them.notices == (duplicates,)
    assert told == [duplicates, lost]  # each once


def test_an_array_of_features_is_one_set_and_a_list_is_several():
    one = moderate_cli.select(features=F, labels=Y, ratio=0.5)
    listed = moderate_cli.select(features=[F], labels=Y, ratio=0.5)
    assert one.rows.tolist() == listed.rows.tolist()
    both = moderate_cli.select(features=[F, F[:, ::-1]], labels=Y, ratio=0.5)
    assert len(both.source.sets) == 2
    assert both.scores.criterion == ""
