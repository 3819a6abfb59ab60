import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import draw

from moderate_cli.fitting import learner, learning, plan, preparing, resolving, telling
from moderate_cli.networks.table import weights_digest

HOW = ("--network", "cnn", "--epochs", "1", "--folds", "2", "--device", "cpu")


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Trains one epoch; `pixels` is the default backbone."""
    for module in (preparing, resolving):
        monkeypatch.setattr(module, "DEFAULT_BACKBONE", "pixels")
    monkeypatch.setattr(plan, "default_epochs", lambda *_: 1)


@pytest.fixture
def trained(counted):
    """Calls of the training."""
    return counted(learning, "learn")


def store_of(root):
    return root.with_name(root.name + ".moderate")


def pretend(root, **facts):
    path = store_of(root) / "fitted" / "fitted.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"fit": content["fit"] | facts}))


def kept(text):
    """Return the messages without bars."""
    return [line for line in re.split("[\r\n]+", text) if line.startswith("moderate: ")]


def test_a_network_is_trained_and_told_of(pictures, moderate):
    done = moderate("fit", pictures, *HOW)
    assert (done.status, done.stdout) == (0, "")
    path = store_of(pictures) / "fitted" / "network.pt"
    begun, known, fitted, hint = kept(done.stderr)
    assert begun == "moderate: training cnn on 20 images: less than a minute"
    assert re.fullmatch(
        r"moderate: cnn is right for [0-9.]+ % of images that it did not see, a linear probe on the"
        r" default features for 100\.0 %",
        known,
    )
    assert fitted == f"moderate: Fitted cnn to 20 images -> {path}"
    assert hint == (
        "moderate: hint: the default features serve better here; commands keep using those"
    )
    # A second time it is only told of.
    assert kept(moderate("fit", pictures, *HOW).stderr) == [known, fitted, hint]


def test_images_that_are_left_out_are_told_of(pictures, moderate):
    (pictures / "b" / "0.png").write_bytes(b"bad")
    said = kept(moderate("fit", pictures, *HOW).stderr)
    assert said[0] == (
        "moderate: training on 19 of 20 images; the others are unreadable, or do not fit in memory"
    )
    assert " to 19 images -> " in said[3]


def test_a_dry_run_tells_the_cost_and_writes_nothing(pictures, moderate):
    done = moderate("fit", pictures, *HOW, "--dry-run")
    assert done.status == 0
    assert kept(done.stderr) == []
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    names = [name.rstrip(":") for name, _ in lines]
    assert names == ["network", "images", "folds", "epochs", "rate", "time"]
    assert [value for _, value in lines[:4]] == ["cnn, 32 pixels a side", "20", "2", "1"]
    assert re.fullmatch(r"\d+ images/s", lines[4][1])
    assert re.fullmatch(r"\d+ s, with \d+ s for the default features", lines[5][1])
    assert os.listdir(pictures.parent) == ["train"]
    # Without those that are there already.
    moderate("embed", pictures, "--backbone", "pixels", "--dtype", "float16")
    done = moderate("fit", pictures, *HOW, "--dry-run")
    assert re.fullmatch(r"time +\d+ s", done.stdout.splitlines()[-1])


BAD = [
    (("--folds", "0"), "--folds"),
    (("--folds", "21"), "--folds"),
    (("--folds", "2.5"), "--folds"),
    (("--epochs", "0"), "--epochs"),
    (("--epochs", "10001"), "--epochs"),
    (("--minutes", "0"), "--minutes"),
    (("--minutes", "-1"), "--minutes"),
    (("--minutes", "nan"), "--minutes"),
    (("--minutes", "inf"), "--minutes"),
    (("--seed", "-1"), "--seed"),
    (("--network", "pixels"), "--network"),
    (("--network", "fitted"), "--network"),
    (("--network", "resnet"), "--network"),
    (("--device", "tpu"), "--device"),
    (("--epochs", "1", "--minutes", "1"), "--epochs"),
    (("--backbone", "resnet18"), "--backbone"),
]


@pytest.mark.parametrize(("args", "option"), BAD)
def test_bad_options_are_refused_in_a_line_with_status_2(pictures, moderate, args, option):
    done = moderate("fit", pictures, *args)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("moderate: error: ")
    assert option in done.stderr
    assert done.stderr.endswith("(see 'moderate fit --help')\n")
    assert os.listdir(pictures.parent) == ["train"]


def test_a_network_of_corrected_labels_is_told_of(pictures, moderate):
    file = pictures.parent / "corrected.csv"
    file.write_text("path,label\na/0.png,b\nc/1.png,\n")
    said = kept(moderate("fit", pictures, "--labels", file, *HOW).stderr)
    assert said[0] == f"moderate: {file}: corrected 1 label, left out 1 image"
    assert said[1] == "moderate: training cnn on 19 images: less than a minute"
    done = moderate("info", pictures)
    assert done.stdout.endswith("; up to date; of corrected labels\n")
    found = json.loads(moderate("info", "--json", pictures).stdout)["fitted"]
    assert (found["up_to_date"], found["corrected"]) == (True, True)


def test_a_network_that_knows_nothing_does_not_replace_the_older_one(
    pictures, moderate, monkeypatch
):
    moderate("fit", pictures, *HOW)
    folder = store_of(pictures)
    before = (folder / "fitted" / "network.pt").read_bytes()
    corrected = pictures.parent / "corrected.csv"
    corrected.write_text("path,label\na/0.png,b\n")
    with monkeypatch.context() as patched:
        patched.setattr(learner, "RATES", (1e12, 1e12))
        patched.setattr(telling, "PATIENCE", 0.0)
        done = moderate("fit", pictures, *HOW[:3], "8", *HOW[4:], "--labels", corrected)
    assert done.status == 1
    *_, error = done.stderr.splitlines()
    assert error.startswith("moderate: error: cnn: has ")
    assert error.endswith(
        " after this training, so it is not kept; check the labels, or run `moderate fit` with"
        " another --seed or --network"
    )
    assert (folder / "fitted" / "network.pt").read_bytes() == before
    assert "fitted.partial.pt" not in os.listdir(folder)


def test_the_images_of_a_list_are_remembered(pictures, tmp_path, moderate):
    rows = [f"{name}/{image}.png,{name}\n" for name in "abcd" for image in range(5)]
    listed = tmp_path / "list.csv"
    listed.write_text("path,label\n" + "".join(rows))
    assert moderate("fit", listed, "--images", pictures, *HOW).status == 0
    done = moderate("fit", listed, *HOW)
    assert (done.status, kept(done.stderr)[0][:19]) == (0, "moderate: cnn is ri")


def test_clusters_are_refused(pictures, moderate):
    assert moderate("fit", pictures, "--labels", "kmeans:3") == (
        2,
        "",
        "moderate: error: fit takes a table of corrected labels, not --labels kmeans:3 (see"
        " 'moderate fit --help')\n",
    )


def test_epochs_and_minutes_exclude_each_other(pictures, moderate):
    assert moderate("fit", pictures, "--epochs", "1", "--minutes", "1") == (
        2,
        "",
        "moderate: error: use --epochs or --minutes, not both (see 'moderate fit --help')\n",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "nowhere: No such file or directory; name a dataset folder"),
        ("one", "one: has 1 class with readable images; a network needs two"),
    ],
)
def test_data_that_cannot_be_trained_on_is_one_line_with_status_1(
    tmp_path, monkeypatch, moderate, name, said
):
    draw(tmp_path / "one" / "a" / "0.png", 0, 0)
    draw(tmp_path / "one" / "a" / "1.png", 0, 1)
    monkeypatch.chdir(tmp_path)
    done = moderate("fit", name, *HOW)
    assert (done.status, done.stdout) == (1, "")
    assert kept(done.stderr)[-1].replace(f"{tmp_path}/", "") == f"moderate: error: {said}"


def test_a_folder_of_the_user_is_refused_in_a_line(pictures, moderate):
    mine = store_of(pictures) / "fitted" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = moderate("fit", pictures, *HOW)
    assert done.status == 1
    assert kept(done.stderr) == [
        f"moderate: error: {mine.parent}: is not a network of `moderate fit`; move it away"
    ]
    assert mine.read_text() == "mine"


def test_select_trains_a_network_that_is_missing_and_takes_its_features(
    pictures, moderate, trained
):
    args = ("select", "-r", "0.5", pictures, "--backbone", "fitted", "--device", "cpu")
    done = moderate(*args)
    assert done.status == 0
    assert len(done.stdout.splitlines()) == 10
    said = kept(done.stderr)
    assert said[0] == "moderate: training a network on these images, because there is none yet"
    assert said[1] == "moderate: training resnet9_narrow on 20 images: less than a minute"
    assert re.fullmatch(
        r"moderate: resnet9_narrow is right for [0-9.]+ % of images that it did not see; `moderate"
        r" fit` compares it with the default features",
        said[2],
    )
    told = moderate("info", pictures).stdout
    assert "; not compared with the default features; up to date\n" in told
    assert len(trained) == 1
    digest = weights_digest(store_of(pictures) / "fitted" / "network.pt")[:8]
    assert f"fitted-{digest}-float32-float32" in os.listdir(store_of(pictures))
    # Then it is there.
    again = moderate(*args)
    assert again.stdout == done.stdout
    assert [line for line in kept(again.stderr) if line in said[:3]] == []
    assert len(trained) == 1


def test_a_network_that_serves_is_used_and_told_of(pictures, moderate):
    moderate("fit", pictures, *HOW)
    pretend(pictures, accuracy=0.9, pretrained=0.5)
    done = moderate("embed", pictures, "--backbone", "auto", "--device", "cpu")
    assert done.status == 0
    assert (
        "moderate: using the features of `moderate fit`: cnn is right for 90.0 % of images that it"
        " did not see, a linear probe on the default features for 50.0 %"
    ) in kept(done.stderr)
    draw(pictures / "a" / "5.png", 5, 2)
    done = moderate("embed", pictures, "--backbone", "auto", "--device", "cpu")
    assert (
        "moderate: warning: the network of `moderate fit` is older than the images; run it again"
    ) in kept(done.stderr)
    # After that it is not.
    moderate("fit", pictures, *HOW)
    done = moderate("embed", pictures, "--backbone", "fitted", "--device", "cpu")
    assert (done.status, done.stdout) == (0, "")
    assert not [line for line in kept(done.stderr) if "warning" in line]


def test_parts_do_not_train(pictures, moderate, trained):
    done = moderate("embed", pictures, "--part", "1/2", "--backbone", "fitted", "--device", "cpu")
    assert done == (
        2,
        "",
        f"moderate: error: {pictures}: has no network of its own; run `moderate fit`, whose"
        " --dry-run estimates the time\n",
    )
    assert trained == []


def test_evaluate_judges_the_test_set_by_the_network_of_the_data(
    pictures, tmp_path, moderate, trained
):
    test = tmp_path / "test"
    for label, name in enumerate("abcd"):
        for image in range(2):
            draw(test / name / f"{image}.png", label, image + 3)
    args = ("evaluate", pictures, "--test", test, "-r", "0.5", "--strategy", "easy")
    done = moderate(*args, "--seeds", "3", "--backbone", "fitted", "--device", "cpu")
    assert done.status == 0
    assert len(trained) == 1
    assert "fitted" not in os.listdir(store_of(test))
    digest = weights_digest(store_of(pictures) / "fitted" / "network.pt")[:8]
    assert f"fitted-{digest}-float32-float32" in os.listdir(store_of(test))
    seen = "was trained on the held-out images, too"
    assert seen not in done.stderr
    alone = ("evaluate", pictures, "-r", "0.5", "--strategy", "easy", "--seeds", "3")
    assert seen in moderate(*alone, "--backbone", "fitted", "--device", "cpu").stderr
    assert seen not in moderate(*alone, "--backbone", "pixels").stderr


def test_other_commands_name_the_features_of_the_network(pictures, moderate):
    moderate("fit", pictures, *HOW)
    own = ("--backbone", "fitted", "--device", "cpu")
    for args in (("suspects", pictures), ("duplicates", pictures), ("score", pictures)):
        assert moderate(*args, *own).status == 0, args
    done = moderate("info", pictures)
    assert done.status == 0
    assert "network of fit" in done.stdout
    assert "  cnn, right for " in done.stdout
    assert done.stdout.endswith("; up to date\n")


def test_features_of_an_earlier_network_are_not_up_to_date(pictures, tmp_path, moderate):
    moderate("fit", pictures, *HOW)
    own = ("--backbone", "fitted", "--device", "cpu")
    moderate("embed", pictures, *own)
    assert states(moderate, pictures) == [(True, False), (True, False)]
    assert "of another network" not in moderate("info", pictures).stdout
    shutil.copytree(store_of(pictures), tmp_path / "apart")
    shutil.rmtree(tmp_path / "apart" / "fitted")  # as in the store of a test set
    moderate("fit", pictures, *HOW, "--seed", "1")
    assert states(moderate, pictures) == [(False, True), (True, False)]
    lines = moderate("info", pictures).stdout.splitlines()
    assert lines[5].endswith("  of another network than that of fit")
    assert lines[6].endswith("  up to date")
    draw(pictures / "a" / "5.png", 5, 2)
    lines = moderate("info", pictures).stdout.splitlines()
    assert lines[5].endswith("  1 missing, of another network than that of fit")
    (pictures / "a" / "5.png").unlink()
    assert states(moderate, pictures, "--store", tmp_path / "apart") == [(True, False)] * 2
    moderate("embed", pictures, *own)
    assert sorted(states(moderate, pictures)) == [(False, True), (True, False), (True, False)]


def states(moderate, *args):
    """Return of each feature set whether it is up to date, and whether it is of another network."""
    sets = json.loads(moderate("info", "--json", *args).stdout)["feature_sets"]
    return [(one["up_to_date"], one["of_another"]) for one in sets]


def test_a_file_that_is_no_network_is_refused_in_a_line(pictures, tmp_path, moderate):
    (tmp_path / "w.pt").write_text("mine")
    args = ("embed", pictures, "--backbone", "fitted", "--device", "cpu", "--weights")
    done = moderate(*args, tmp_path / "w.pt")
    assert (done.status, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"moderate: error: {tmp_path / 'w.pt'}: is not ")
    done = moderate(*args, tmp_path / "nothing.pt")
    assert done == (
        1,
        "",
        f"moderate: error: {tmp_path / 'nothing.pt'}: No such file or directory; name a weights"
        " file\n",
    )


def test_a_network_that_is_up_to_date_is_told_of_without_torch(pictures, moderate):
    moderate("fit", pictures, *HOW)
    code = (
        "import sys; from moderate_cli.cli import _run; status = _run(sys.argv[1:]);"
        "print(status, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "fit", pictures, *HOW], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "0 False\n"
