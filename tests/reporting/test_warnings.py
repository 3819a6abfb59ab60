from types import SimpleNamespace

import numpy as np
from reports import HOW, subject_of

from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting.warnings import Warned, warnings
from moderate_cli.selection.duplicates import Duplicates


def test_warnings_name_classes_and_images(tmp_path):
    store = SimpleNamespace(paths=["cat/x\n.png"], unreadable={0: "is empty"})
    names = ("cat", "d\u202eog")
    subject = subject_of(tmp_path, [1, 2, 3, 40], [0, 0, 0, 1], names, stores=(store,))
    assert list(warnings(subject))[:2] == [
        Warned(
            "The selection would contain no image of 1 class",
            "At least one image of each was added: d\\u202eog.",
        ),
        Warned("1 unreadable image", "Left out: cat/x\\n.png (is empty)."),
    ]


def test_classes_of_which_nothing_is_kept_are_named(tmp_path):
    for scope, advice in (("global", ", or use --scope class"), ("class", "")):
        how = HOW | {"min_per_class": 0, "scope": scope, "ratio": "0.25"}
        subject = subject_of(tmp_path, [1, 2, 3, 40], [0, 0, 0, 1], ("cat", "dog"), how)
        assert next(warnings(subject)) == Warned(
            "No image of 1 class is kept", f"Keep more images{advice}: dog."
        )


def test_warnings_say_how_many_suspects_were_removed(tmp_path):
    def warned(probability, left_out=(), **more):
        labels = np.repeat([0, 1], 10)
        more["suspects"] = Suspects(np.array(probability), labels)
        subject = subject_of(tmp_path, range(20), labels, "ab", HOW, left_out, **more)
        return next(warnings(subject))

    sure = [0.9, 0.8] + 18 * [0.001]
    title = "2 likely label errors"
    detail = "Estimated label noise: about 9 %. The selection keeps none of them."
    assert warned(sure) == Warned(title, detail)
    in_the_window = 5 * [0.001] + [0.9, 0.8] + 13 * [0.001]
    kept = detail.replace("none", "2")
    assert warned(in_the_window) == Warned(title, f"{kept} --drop-suspects auto removes them.")
    assert warned(sure, [0, 1]) == Warned(title, f"{detail} 2 were removed beforehand.")
    assert warned(sure, [0], spared={"suspects": 1}) == Warned(
        title,
        f"{detail} 1 was removed beforehand. 1 stays, so that each class keeps --min-per-class.",
    )
    assert warned(20 * [0.1]) == Warned(
        "Labels may be wrong, but no single image is a likely label error",
        "All probabilities add up to about 10 % of the labels, but no single image is likely"
        " wrong.",
    )


def test_features_that_hardly_know_the_classes_are_named(tmp_path):
    labels = np.repeat([0, 1], 10)
    for probability, title in (
        (0.3, "Features hardly know the classes"),
        (0.6, "20 likely label errors"),
    ):
        found = Suspects(np.full(20, probability), labels, accuracy=0.2, hardly_known=True)
        subject = subject_of(tmp_path, range(20), labels, "ab", HOW, suspects=found)
        warned = next(warnings(subject))
        assert warned.title == title
        assert warned.detail.startswith("A linear head on these features is right for only 20 % of")


def test_warnings_say_how_many_near_duplicates_were_removed(tmp_path):
    found = Duplicates(np.array([1, 4, 5]), np.array([0, 3, 3]), np.ones(3))
    for more, detail in (
        ({}, "--dedup 0.95 removes them."),
        ({"how": HOW | {"dedup": 0.95}}, "3 were removed beforehand."),
        (
            {"how": HOW | {"dedup": 0.95}, "spared": {"duplicates": 2}},
            "1 was removed beforehand; 2 stay, so that each class keeps --min-per-class.",
        ),
    ):
        subject = subject_of(tmp_path, range(6), 6 * [0], "a", duplicates=found, **more)
        assert list(warnings(subject)) == [Warned("3 near duplicates", detail)]


def test_near_duplicates_of_two_classes_are_named(tmp_path):
    found = Duplicates(np.array([3, 4]), np.array([0, 2]), np.ones(2))
    subject = subject_of(tmp_path, range(6), [0, 0, 1, 1, 1, 1], "ab", duplicates=found)
    assert list(warnings(subject)) == [
        Warned(
            "2 near duplicates",
            "1 pair has different labels, so one label is wrong: b/3.png and a/0.png."
            " --dedup 0.95 removes them.",
        )
    ]


def test_a_search_for_near_duplicates_that_was_not_made_is_mentioned(tmp_path):
    subject = subject_of(tmp_path, range(6), 6 * [0], "a")
    assert list(warnings(subject)) == [
        Warned(
            "Near duplicates were not searched for",
            "With more than 20,000 images this takes long; --dedup 0.95 does it.",
        )
    ]


def test_features_that_coincide_are_warned_of(tmp_path):
    detail = "Features cannot tell them apart. Are the images blank, or copies of each other?"
    subject = subject_of(tmp_path, [5, 5, 5, 1, 2, 3], [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("1 class of images with the same features", f"{detail} cat.")
    subject = subject_of(tmp_path, [5] * 6, [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("6 images have the same features", detail)
