import numpy as np
import pytest
from reports import subject_of

from moderate_cli.errors import ArgumentError
from moderate_cli.reporting import class_table as module
from moderate_cli.reporting.class_table import ClassRow, class_table


def test_the_numbers_of_each_class(small):
    assert small.kept.tolist() == [False, False, True, True, True, True] + 4 * [False]
    assert class_table(small) == [
        ClassRow("cat", 4, 2, 0, 1.75, 2.5, 3.25),
        ClassRow("dog", 5, 2, 0, 6.0, 7.0, 8.0),
    ]


def test_quartiles_are_those_of_numpy(tmp_path, rng):
    labels, values = rng.integers(0, 30, 200), rng.normal(size=200)
    values[rng.random(200) < 0.2] = np.nan
    subject = subject_of(tmp_path, values, labels, [f"{number:02}" for number in range(30)])
    rows = class_table(subject)
    assert len(rows) == len(np.unique(labels[~np.isnan(values)]))
    for row in rows:
        own = values[(labels == int(row.name)) & ~np.isnan(values)]
        np.testing.assert_allclose(row[-3:], np.quantile(own, (0.25, 0.5, 0.75)), rtol=1e-5)


def test_more_classes_than_a_page_can_show_are_refused(small, monkeypatch):
    monkeypatch.setattr(module, "MOST_CLASSES", 1)
    with pytest.raises(ArgumentError, match=r"^report: 2 classes; a page shows at most 1$"):
        class_table(small)
