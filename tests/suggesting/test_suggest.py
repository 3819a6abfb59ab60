"""`moderate suggest`: one table, one verdict, one command."""

import re
import shlex
import shutil

import numpy as np
import pytest
from conftest import draw, paint
from PIL import Image
from shown import table

import moderate_cli
from moderate_cli.api import expecting
from moderate_cli.errors import ArgumentError
from moderate_cli.evaluation import judging
from moderate_cli.evaluation.cells import cells_of
from moderate_cli.suggesting import compute_seconds, facts, options

PIXELS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}


@pytest.fixture
def drawn(tmp_path):
    """Four classes of 30 pictures, a tenth of them with a wrong label, and a clean test set."""
    for label in range(4):
        for image in range(30):
            given = "abcd"[(label + (image < 3)) % 4]
            draw(tmp_path / "data" / given / f"{label}-{image:02}.png", label, image)
        for image in range(40, 50):
            draw(tmp_path / "test" / "abcd"[label] / f"{image}.png", label, image)
    return tmp_path / "data"


def test_a_suggestion_is_a_table_a_verdict_and_a_command(drawn, moderate, counted):
    trained = counted(judging, "Probe")
    args = ("suggest", drawn, "--test", drawn.parent / "test", "--ratio", "0.2", "--seeds", "3")
    done = moderate(*args)
    assert done.status == 0, done.stderr
    lines = done.stdout.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines[: lines.index("")])
    assert facts["data"] == f"{drawn}, 120 images in 4 classes of 30"
    assert facts["labels"].startswith("12 likely label errors; estimated label noise ")
    assert facts["test"].startswith(f"{drawn.parent}/test, 40 images")
    assert [row[0] for row in table(done.stdout)] == [
        "strategy", "full set", "adaptive", "random", "moderate"
    ]  # fmt: skip
    text = " ".join(lines)
    assert " take the recommended adaptive; " in text
    assert "Not judged: fine-tuning itself" in text
    assert len(trained) == 3 * 4
    # The last line is a command that can be pasted.
    _, command, *words = shlex.split(lines[-1])
    assert words[-2:] == ["-o", "kept.txt"]
    assert "--on-error" not in words
    kept = moderate(command, *words[:-2])
    assert (kept.status, len(kept.stdout.split())) == (0, 24)
    # What was found is kept.
    assert moderate(*args).stdout == done.stdout
    assert len(trained) == 3 * 4


def test_with_an_output_the_command_is_run(drawn, moderate, tmp_path):
    args = ("suggest", drawn, "-r", "0.2", "--seeds", "1")
    done = moderate(*args, "-o", tmp_path / "kept.txt", "--copy-to", tmp_path / "out")
    assert done.status == 0, done.stderr
    shown = shlex.split(done.stdout.splitlines()[-1])
    assert shown[-4:] == ["-o", str(tmp_path / "kept.txt"), "--copy-to", str(tmp_path / "out")]
    kept = (tmp_path / "kept.txt").read_text()
    assert moderate(*shown[1:-4]).stdout == kept
    assert len(list((tmp_path / "out").glob("*/*.png"))) == 24


@pytest.mark.parametrize(("images", "told"), [(9, True), (10, False)])
def test_balance_is_named_where_class_sizes_differ_by_more_than_three_times(tmp_path, images, told):
    for label, size in enumerate((30, images)):
        for image in range(size):
            draw(tmp_path / "data" / "ab"[label] / f"{image:02}.png", label, image)
    found = moderate_cli.suggest(tmp_path / "data", seeds=1, **PIXELS)
    text = "rare classes: --balance uniform keeps as many images of each class"
    assert (text in found.unjudged) == told


def test_features_that_do_not_know_the_classes_lead_to_random_selection(tmp_path, moderate, rng):
    for name in "abc":
        for image in range(20):
            paint(tmp_path / "data" / name / f"{image}.png", int(rng.integers(255)))
    done = moderate("suggest", tmp_path / "data", "--seeds", "1")
    assert done.status == 0, done.stderr
    assert "take random; the features hardly know these classes" in " ".join(
        done.stdout.splitlines()
    )
    assert "--strategy random" in done.stdout.splitlines()[-1]
    # So says `evaluate`, on held-out images and on a test set.
    for test in ((), ("--test", shutil.copytree(tmp_path / "data", tmp_path / "test"))):
        done = moderate("evaluate", tmp_path / "data", "--seeds", "1", "-r", "0.3", *test)
        assert "take random; the features hardly know these classes" in " ".join(
            done.stdout.splitlines()
        )
        assert "--strategy random" in done.stdout.splitlines()[-1]


def test_copies_and_unreadable_images_are_told_with_the_options_for_them(
    moderate, monkeypatch, tmp_path, rng
):
    for module in (facts, options):  # blocks of color are much alike
        monkeypatch.setattr(module, "SIMILAR", 0.9999)
    data = tmp_path / "data"
    for name in "abcd":
        (data / name).mkdir(parents=True)
        base = rng.integers(40, 200, (8, 8, 3))
        for image in range(30):
            blocks = (base + rng.integers(-40, 40, base.shape)).astype(np.uint8)
            picture = Image.fromarray(blocks).resize((64, 64), Image.Resampling.NEAREST)
            picture.save(data / name / f"{image:02}.png")
    for image in range(5):
        shutil.copy(data / "a" / f"{image:02}.png", data / "a" / f"{image:02}-copy.png")
    (data / "b" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = moderate("suggest", data, "--seeds", "1")
    assert done.status == 0, done.stderr
    assert "\nunreadable  1 image cannot be read: --on-error skip\n" in done.stdout
    assert "\nduplicates  5 near duplicates of other images: --dedup 0.9999\n" in done.stdout
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words[words.index("--dedup") + 1] == "0.9999"
    assert words[words.index("--on-error") + 1] == "skip"
    assert moderate(*words[1:-2]).status == 0


def test_a_small_network_judges_what_is_trained_from_scratch(drawn, monkeypatch):
    from moderate_cli.evaluation import recipe

    monkeypatch.setitem(recipe.STEPS, "train", 2)
    told = []

    class Told(moderate_cli.Listener):
        def notice(self, notice):
            told.append(notice.kind)

    monkeypatch.setattr(expecting, "WORTH_SAYING", 0.0)
    found = moderate_cli.suggest(drawn, for_="train", seeds=1, listener=Told(), **PIXELS)
    assert found.comparison.about.judge == "cnn, 2 steps of 64 images, 32 px"
    assert found.unjudged[0] == "your own network: a small one took its place"
    assert told[0] == "expected"
    assert found.words()[:4] == ["moderate", "select", "--ratio", "0.3"]


def test_a_feature_set_is_suggested_for_without_a_command(drawn):
    found = moderate_cli.suggest(moderate_cli.embed(drawn, **PIXELS), seeds=1)
    assert found.command() == ""
    assert found.choice.strategy == "adaptive"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-r", "0.1,0.3"), "suggest takes only one --ratio"),
        (("-r", "30"), "30 is not in (0, 1]; it is the fraction kept. For 30 % write 0.3 or 30%."),
        (("--for", "finetune"), "'finetune' is unknown; did you mean fine-tune?"),
        (("-o", "kept.xyz"), "kept.xyz: unknown suffix"),
        (("--backbone", "pixels", "--backbone", "resnet18"), "suggest takes only one --backbone"),
    ],
)
def test_wrong_arguments_are_refused_in_a_line(args, message, drawn, moderate):
    done = moderate("suggest", drawn, *args)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (drawn.parent / "data.moderate").exists()


def test_remote_images_are_not_copied(moderate):
    done = moderate("suggest", "s3://bucket/train", "--copy-to", "out")
    assert done.status == 2
    assert "--copy-to needs images on this machine; -o lists the kept ones" in done.stderr


def test_an_output_in_the_dataset_is_refused_before_the_work(drawn, moderate):
    done = moderate("suggest", drawn, "--copy-to", drawn / "kept")
    assert (done.status, done.stderr.count("\n")) == (1, 1)
    assert not (drawn.parent / "data.moderate").exists()


def test_wrong_values_are_refused_in_python(drawn):
    for given in ({"for_": "sell"}, {"seeds": 0}, {"ratio": 2}):
        with pytest.raises(ArgumentError):
            moderate_cli.suggest(drawn, **given, **PIXELS)


def test_the_estimate_grows_as_the_work_does():
    few, many = (cells_of([("adaptive", "0.5")], ["0.3"], "", range(n)) for n in (1, 4))
    one = compute_seconds(1000, 64, few)
    assert 0 < one < compute_seconds(1000, 64, many)
    assert compute_seconds(1000, 64, few) < compute_seconds(100000, 64, few)
    assert np.isfinite(one)


def test_evaluate_says_how_long_it_takes_and_nothing_if_all_is_known(drawn, moderate, monkeypatch):
    monkeypatch.setattr(expecting, "WORTH_SAYING", 0.0)
    args = ("evaluate", drawn, "--seeds", "1", "-r", "0.5", "--strategy", "easy")
    told = re.compile(r"^moderate: about \d+ s to compare selections by 4 classifiers$", re.M)
    assert told.search(moderate(*args).stderr)
    assert not told.search(moderate(*args).stderr)


def test_corrected_labels_are_suggested_from(drawn, moderate, tmp_path):
    lines = [
        f"{'abcd'[(at + 1) % 4]}/{at}-{image:02}.png,{'abcd'[at]}"
        for at in range(4)
        for image in range(3)
    ]
    lines[-1] = lines[-1][:-1]  # leaves an image out
    (tmp_path / "corrected.csv").write_text("\n".join(["path,label", *lines]))
    args = ("suggest", drawn, "--ratio", "0.2", "--seeds", "1", "--labels")
    done = moderate(*args, tmp_path / "corrected.csv")
    assert done.status == 0, done.stderr
    assert "corrected 11 labels, left out 1 image" in done.stderr
    facts = dict(line.split(maxsplit=1) for line in done.stdout.split("\n\n")[0].splitlines())
    assert facts["data"] == f"{drawn}, 119 images in 4 classes of 29 to 30"
    assert not facts["labels"].startswith("12 likely")
    assert "unreadable" not in facts
    command = shlex.split(done.stdout.splitlines()[-1])
    assert command[command.index("--labels") + 1] == str(tmp_path / "corrected.csv")
    assert "--on-error" not in command
    assert moderate(*command[1:-2]).status == 0
    assert "suggest needs classes, not --labels kmeans:4" in moderate(*args, "kmeans:4").stderr


def test_an_earlier_copy_is_replaced_if_asked_for(drawn, moderate, tmp_path):
    args = ("suggest", drawn, "--test", drawn.parent / "test", "--copy-to", tmp_path / "out")
    assert moderate(*args).status == 0
    done = moderate(*args)
    assert (done.status, done.stdout) == (1, "")
    assert "exists; --force replaces it" in done.stderr
    assert moderate(*args, "--force").status == 0
    done = moderate("suggest", drawn, "--force")
    assert "--force needs --copy-to" in done.stderr


def test_one_class_that_can_be_read_is_no_dataset_to_compare(drawn, moderate):
    names = sorted(path.name for path in drawn.iterdir())
    for name in names[1:]:
        for image in (drawn / name).iterdir():
            image.write_bytes(b"no image")
    done = moderate("suggest", drawn)
    assert (done.status, done.stdout) == (1, "")
    assert "only one class has images that can be read" in done.stderr
