"""Commands that take --features and --labels in place of a dataset."""

import numpy as np
import pytest

from moderate_cli import duplicates, embed, evaluate, scan, suspects
from moderate_cli.errors import ArrayError


@pytest.fixture
def arrays(pictures, tmp_path):
    """The features and labels of `pictures` as the user's own files."""
    dataset = scan(pictures)
    found = embed(dataset, backbone="pixels", dtype="float32", runtime="torch")
    np.save(tmp_path / "f.npy", found.features)
    np.save(tmp_path / "y.npy", dataset.labels)
    return ["--features", str(tmp_path / "f.npy"), "--labels", str(tmp_path / "y.npy")]


def test_suspects_are_those_of_the_dataset_by_row(pictures, arrays, moderate):
    paths = list(scan(pictures).paths)
    by_path, by_row = (
        [
            line.split("\t")
            for line in moderate("suspects", "--fraction", "0.2", *how).stdout.splitlines()
        ]
        for how in ([str(pictures)], arrays)
    )
    assert [paths[int(row)] for row, *_ in by_row] == [path for path, *_ in by_path]
    assert [last for *_, last in by_row] == [last for *_, last in by_path]
    assert len(by_row) == 4


def test_duplicates_need_no_labels(pictures, arrays, moderate):
    paths = list(scan(pictures).paths)
    by_path = moderate("duplicates", str(pictures)).stdout.split()
    for how in (arrays, arrays[:2]):
        by_row = moderate("duplicates", *how).stdout.split()
        named = [paths[int(one)] if at % 3 else one for at, one in enumerate(by_row)]
        assert named == by_path
        assert by_row


def test_evaluate_compares_on_held_out_rows(pictures, arrays, moderate):
    how = ["--ratio", "0.5", "--seeds", "3", "--strategy", "random,easy"]
    of_data, of_arrays = (moderate("evaluate", *some, *how) for some in ([str(pictures)], arrays))
    # The header names the data, and the command at the end has its options.
    tables = [done.stdout.split("\n\n")[1] for done in (of_data, of_arrays)]
    assert tables[0] == tables[1]
    assert tables[0].startswith("strategy ")
    assert of_arrays.status == 0


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("suspects", ["--labels", "kmeans:2"], "suspects needs classes, not --labels kmeans:2"),
        ("evaluate", ["--labels", "kmeans:2"], "evaluate needs classes, not --labels kmeans:2"),
        ("evaluate", ["--labels", "y.npy", "--with", "train"], "use --with train or --features"),
        ("evaluate", ["--labels", "y.npy", "--test", "x"], "use --features or --test, not both"),
        ("suspects", [], "--features needs --labels"),
        ("suspects", ["--labels", "y.npy", "--features", "f.npy"], "takes only one --features"),
        ("suspects", ["data", "--labels", "y.npy"], "use DATA or --features, not both"),
        ("duplicates", ["--labels", "y.npy", "--precision", "bfloat16"], "use --features or"),
    ],
)
def test_arrays_are_refused_where_they_do_not_fit(arrays, moderate, command, options, message):
    done = moderate(command, *arrays[:2], *options)
    assert done.status == 2
    assert message in done.stderr


def test_values_that_are_not_finite_are_refused(tmp_path):
    features = np.eye(20)
    features[3, 0] = np.inf
    labels = np.arange(20) % 2
    for function in (suspects, duplicates, evaluate):
        with pytest.raises(ArrayError, match="row 3 is not finite"):
            function(features=features, labels=labels)
