from types import SimpleNamespace

from reports import HOW, data_of, subject_of

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


def test_images_without_a_label_are_named_and_counted_nowhere(embedded, tmp_path, moderate):
    (tmp_path / "labels.csv").write_text("path,label\ncat/0.png,\nowl/0.png,\n")
    page = tmp_path / "page.html"
    done = moderate("report", embedded, "--labels", tmp_path / "labels.csv", "-o", page)
    assert done.stderr.endswith(
        "moderate: Kept 2 of 6 images in 2 classes (33 % of the 6; 0 dropped first) with moderate"
        f" -> {page}\n"
    )
    text = page.read_text()
    assert "<strong>2 of 6</strong> images are kept (33 % of all)" in text
    assert (
        "<strong>2 images without a label.</strong> <bdi>Left out: cat/0.png, owl/0.png.</bdi>"
    ) in text
    assert "<strong>1 class without images.</strong> <bdi>owl.</bdi>" in text
    assert data_of(text)["classes"]["images"] == [4, 2]


def test_features_that_coincide_are_warned_of(tmp_path):
    detail = "Features cannot tell them apart. Are the images blank, or copies of each other?"
    subject = subject_of(tmp_path, [5, 5, 5, 1, 2, 3], [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("1 class of images with the same features", f"{detail} cat.")
    subject = subject_of(tmp_path, [5] * 6, [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("6 images have the same features", detail)
