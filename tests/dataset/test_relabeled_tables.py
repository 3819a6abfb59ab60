"""New classes in Arrow tables."""

import json
from decimal import Decimal

import numpy as np
import pyarrow
import pytest

from moderate_cli.dataset.relabeled_tables import relabeling
from moderate_cli.dataset.relabeling import Relabeled
from moderate_cli.errors import DatasetError

NAMES = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
HUGGING_FACE = {"huggingface": json.dumps({"info": {"features": NAMES}})}


def changed(rows, classes, numbers):
    change = relabeling(rows.schema, Relabeled(rows.schema.get_field_index("label"), classes), "t")
    return change(rows, np.array(numbers))


def test_a_named_number_is_written_for_its_name():
    columns = {"image": ["a", "b", "c"], "label": pyarrow.array([0, 1, None], pyarrow.int8())}
    rows = pyarrow.table(columns).replace_schema_metadata(HUGGING_FACE)
    found = changed(rows, {7: "dog", 9: "cat", 5: "cat"}, [7, 8, 9])
    assert found.to_pydict() == {"image": ["a", "b", "c"], "label": [1, 1, 0]}
    assert found.schema.equals(rows.schema, check_metadata=True)
    assert changed(rows, {8: "12"}, [7, 8, 9]).column("label").to_pylist() == [0, 12, None]
    assert changed(rows, {7: "dog"}, [1, 2, 3]) is rows


@pytest.mark.parametrize(
    ("values", "kind", "name", "written"),
    [
        (["cat", "owl"], pyarrow.string(), "dog", "dog"),
        (["cat", "owl"], pyarrow.large_string(), "dog", "dog"),
        (["cat", "owl"], pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), "dog", "dog"),
        ([3.0, None], pyarrow.float32(), "5", 5.0),
        ([True, None], pyarrow.bool_(), "False", False),
        ([Decimal("1.50"), None], pyarrow.decimal128(5, 2), "2.50", Decimal("2.50")),
    ],
)
def test_a_class_is_written_as_the_column_has_it(values, kind, name, written):
    rows = pyarrow.table({"label": pyarrow.array(values, kind)})
    found = changed(rows, {1: name}, [0, 1])
    assert found.column("label").to_pylist() == [values[0], written]
    assert found.schema == rows.schema


@pytest.mark.parametrize("name", ["owl", "300"])
def test_a_class_that_does_not_fit_the_column_is_refused(name):
    rows = pyarrow.table({"label": pyarrow.array([0, 1], pyarrow.int8())})
    with pytest.raises(DatasetError) as caught:
        changed(rows, {1: name}, [0, 1])
    assert str(caught.value) == (
        f"t: class {name} cannot be written to column label, which has int8; -o FILE.csv lists it"
    )
