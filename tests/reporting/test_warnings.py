from types import SimpleNamespace

from reports import HOW, subject_of

from moderate_cli.reporting.warnings import Warned, warnings


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


def test_features_that_coincide_are_warned_of(tmp_path):
    detail = "Features cannot tell them apart. Are the images blank, or copies of each other?"
    subject = subject_of(tmp_path, [5, 5, 5, 1, 2, 3], [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("1 class of images with the same features", f"{detail} cat.")
    subject = subject_of(tmp_path, [5] * 6, [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("6 images have the same features", detail)
