"""New classes in Arrow tables."""

import pyarrow

from moderate_cli.dataset.relabeling import Relabeled, with_classes


def test_a_class_is_written_as_the_column_has_it():
    rows = pyarrow.table({"image": ["a", "b", "c"], "label": [0, 1, None]})
    new = Relabeled(1, {7: "dog", 9: "cat", 5: "cat"})
    found = with_classes(rows, [7, 8, 9], new, ["cat", "dog"])
    assert found.to_pydict() == {"image": ["a", "b", "c"], "label": [1, 1, 0]}
    assert found.schema == rows.schema
    found = with_classes(rows, [7, 8, 9], Relabeled(1, {8: "12"}), [])
    assert found.column("label").to_pylist() == [0, 12, None]
    assert with_classes(rows, [1, 2, 3], new, []) is rows
    texts = pyarrow.table({"label": ["cat", "owl"]})
    found = with_classes(texts, [0, 1], Relabeled(0, {1: "dog"}), [])
    assert found.column("label").to_pylist() == ["cat", "dog"]
