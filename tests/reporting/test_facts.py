import numpy as np
import pytest
from reports import HOW, subject_of

from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting.facts import facts
from moderate_cli.selection.duplicates import Duplicates


def told(fact):
    return fact.bad, fact.title, fact.detail, fact.rows.tolist()


def labels_of(tmp_path, probability, left_out=(), **more):
    labels = np.repeat([0, 1], 10)
    more.setdefault("suspects", Suspects(np.array(probability), 1 - labels))
    return facts(subject_of(tmp_path, range(20), labels, "ab", HOW, left_out, **more))[1]


def duplicates_of(tmp_path, duplicates, labels=6 * (0,), **more):
    subject = subject_of(tmp_path, range(6), labels, "ab", duplicates=duplicates, **more)
    return facts(subject)[2]


def test_starved_classes_are_named_with_the_share_of_all(tmp_path):
    values, labels = [*range(10, 26), 1, 2, 3, 4, 5], 16 * [0] + 5 * [1]
    subject = subject_of(tmp_path, values, labels, ("cat", "dog"), HOW)
    assert told(facts(subject)[0]) == (
        True,
        "1 class keeps few images",
        "dog 1 of 5 (20 %); 52 % of all images are kept. `--scope class` gives each its share.",
        [16, 17, 18, 19, 20],
    )
    fair = subject_of(tmp_path, values, labels, ("cat", "dog"), HOW | {"scope": "class"})
    assert told(facts(fair)[0]) == (
        False,
        "Each class keeps its share",
        "Least: cat 8 of 16 (50 %); 52 % of all images are kept.",
        [],
    )


def test_likely_label_errors_are_counted_with_their_fate(tmp_path):
    sure = [0.9, 0.8] + 18 * [0.001]
    noise, most = (
        "Estimated label noise: at least about 9 %.",
        "Most often: a that looks like b (2). Review and correct below.",
    )
    title = "2 likely label errors"
    assert told(labels_of(tmp_path, sure)) == (
        False, f"{title}, none kept", f"{noise} {most}", [0, 1],
    )  # fmt: skip
    inside = 5 * [0.001] + [0.9, 0.8] + 13 * [0.001]
    assert told(labels_of(tmp_path, inside)) == (
        True, title,
        f"{noise} 2 of them are kept; `--drop-suspects auto` removes them. {most}", [5, 6],
    )  # fmt: skip
    assert labels_of(tmp_path, sure, [0, 1]).detail == (
        f"{noise} 2 were removed beforehand. {most}"
    )
    assert labels_of(tmp_path, sure, [0], spared={"suspects": 1}).detail == (
        f"{noise} 1 was removed beforehand; 1 stayed because of `--min-per-class`. {most}"
    )


def test_little_noise_may_be_none(tmp_path):
    detail = labels_of(tmp_path, [0.9] + 19 * [0.001]).detail
    assert detail.startswith("Estimated label noise: about 5 %, which hard images alone can cause.")


def test_labels_that_look_right_are_good_news(tmp_path):
    fact = labels_of(tmp_path, 20 * [0.001])
    assert told(fact) == (False, "No likely label errors", "The labels look right.", [])
    assert not fact.has_view
    assert told(labels_of(tmp_path, (), suspects=None))[1:3] == (
        "Labels were not checked", "There is only one class.",
    )  # fmt: skip


def test_clusters_are_not_wrong(tmp_path):
    found = Duplicates(np.array([3]), np.array([0]), np.ones(1))
    more = {"duplicates": found, "clustered": True}
    subject = subject_of(tmp_path, range(6), [0, 0, 1, 1, 1, 1], "ab", **more)
    _, labels, duplicates = facts(subject)
    assert labels.detail == "The classes are clusters."
    assert (duplicates.bad, duplicates.title) == (False, "1 near duplicate")


def test_doubts_without_a_suspect_are_told(tmp_path):
    assert told(labels_of(tmp_path, 20 * [0.1]))[:3] == (
        True,
        "Labels may be wrong",
        "All probabilities add up to about 10 % of the labels, but no single image is likely"
        " wrong.",
    )


@pytest.mark.parametrize(
    ("probability", "title"),
    [(0.3, "The features hardly know the classes"), (0.6, "20 likely label errors")],
)
def test_features_that_hardly_know_the_classes_are_named(tmp_path, probability, title):
    labels = np.repeat([0, 1], 10)
    found = Suspects(np.full(20, probability), labels, accuracy=0.2, hardly_known=True)
    fact = labels_of(tmp_path, (), suspects=found)
    assert (fact.bad, fact.title) == (True, title)
    assert fact.detail.startswith("A linear probe on these features is right for only 20 % of")


def test_near_duplicates_are_counted_with_their_fate(tmp_path):
    found = Duplicates(np.array([1, 4, 5]), np.array([0, 3, 3]), np.array([0.96, 1.0, 0.98]))
    same = "Each has the label of the image that it resembles."
    for more, fate in (
        ({}, "`--dedup 0.95` removes them."),
        ({"how": HOW | {"dedup": 0.95}}, "3 were removed beforehand."),
        (
            {"how": HOW | {"dedup": 0.95}, "spared": {"duplicates": 2}},
            "1 was removed beforehand; 2 stayed because of `--min-per-class`.",
        ),
    ):
        assert told(duplicates_of(tmp_path, found, **more)) == (
            False, "3 near duplicates", f"{same} {fate}", [4, 3, 5, 3, 1, 0],
        )  # fmt: skip


def test_near_duplicates_of_two_classes_are_bad_news(tmp_path):
    found = Duplicates(np.array([3, 4]), np.array([0, 2]), np.ones(2))
    assert told(duplicates_of(tmp_path, found, (0, 0, 1, 1, 1, 1))) == (
        True,
        "1 pair of near duplicates has different labels",
        "So one label of each is wrong: b/3.png and a/0.png. 2 near duplicates in all;"
        " `--dedup 0.95` removes them.",
        [3, 0, 4, 2],
    )


def test_near_duplicates_may_be_missing_or_not_searched_for(tmp_path):
    nothing = Duplicates(*2 * [np.empty(0, np.int64)], np.empty(0))
    assert duplicates_of(tmp_path, nothing).title == "No near duplicates"
    assert told(duplicates_of(tmp_path, None))[1:3] == (
        "Near duplicates were not searched for",
        "With more than 20,000 images this takes long; `--dedup 0.95` does it.",
    )
