import csv
import json
import shlex
import shutil

import pytest
import torch
from conftest import draw, paint
from shown import table
from torchvision import models

from moderate_cli import evaluate
from moderate_cli.errors import ArgumentError
from moderate_cli.evaluation import FULL, judging, training

PIXELS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
ARGS = ("--seeds", "3", "--ratio", "0.2,0.5", "--strategy", "easy,moderate:0.25")


FEW = "moderate: 1 seed cannot give intervals; use --seeds 3 or more\n"


def advised(stderr):
    """Words of the command that --within names."""
    return shlex.split(stderr.strip().rpartition("; to make it: moderate ")[2])


def test_strategies_are_compared(grays, moderate, tmp_path, counted):
    trained = counted(judging, "Probe")
    done = moderate("evaluate", grays, *ARGS, "--drop-suspects", "auto")
    assert (done.status, done.stderr) == (0, "")
    rows = table(done.stdout)
    assert rows[0] == [
        "strategy", "label filter", "ratio", "images", "accuracy", "vs random", "worst class"
    ]  # fmt: skip
    assert [row[:2] for row in rows[2:10]] == [
        [name, "off"] for name in ("easy", "moderate:0.25", "adaptive", "random") * 2
    ]
    assert len(rows) == 19
    assert rows[1][:4] == ["full set", "off", "1", "64"]
    assert [row[3] for row in rows[2:10]] == ["13"] * 4 + ["32"] * 4
    assert len(trained) == 3 * 18  # seeds, and rows of the table
    # What is finished is not run again.
    assert moderate("evaluate", grays, *ARGS, "--drop-suspects", "auto") == done
    args = [arg for name in ("e.csv", "e.json", "e.svg") for arg in ("-o", tmp_path / name)]
    assert len(table(moderate("evaluate", grays, *ARGS, *args).stdout)) == 10
    with (tmp_path / "e.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["strategy"] for row in rows[:2]] == [FULL, "easy"]
    assert float(rows[0]["to_full"]) == 0
    assert "moderate:0.25" in (tmp_path / "e.svg").read_text()
    assert moderate("evaluate", grays, *ARGS, "-o", tmp_path / "again.svg").status == 0
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "e.svg").read_bytes()
    assert json.loads((tmp_path / "e.json").read_text())[0]["images"] == 64
    # On stdout it is the same.
    for name in ("csv", "json"):
        shown = moderate("evaluate", grays, *ARGS, f"--{name}").stdout
        assert shown == (tmp_path / f"e.{name}").read_text()
    assert len(trained) == 3 * 18


def test_ratios_may_be_fractions(grays, moderate, tmp_path):
    args = ("evaluate", grays, "--seeds", "3", "--strategy", "moderate:1/3", "--within", "100%")
    names = [f"e.{suffix}" for suffix in ("png", "svg", "csv", "json", "txt")]
    outputs = [arg for name in names for arg in ("-o", tmp_path / name)]
    done = moderate(*args, "-r", "1/3,0.50", *outputs)
    assert done.status == 0
    assert [row[:3] for row in table(done.stdout)] == [
        ["strategy", "ratio", "images"],
        ["full set", "1", "64"],
        ["moderate:1/3", "1/3", "21"],
        ["adaptive", "1/3", "21"],
        ["random", "1/3", "21"],
        ["moderate:1/3", "0.5", "32"],
        ["adaptive", "0.5", "32"],
        ["random", "0.5", "32"],
    ]
    command, ratio, *advice = advised(done.stderr)
    assert [command, ratio, advice[0]] == ["select", "--ratio", "1/3"]
    assert advice[-2:] == ["-o", "kept.txt"]
    assert len(moderate("select", "--ratio", *advice[:-2]).stdout.split()) == 27
    with (tmp_path / "e.csv").open(newline="") as file:
        ratios = [row["ratio"] for row in csv.DictReader(file)]
    assert ratios == ["1", "1/3", "1/3", "1/3", "0.5", "0.5", "0.5"]
    assert [row["ratio"] for row in json.loads((tmp_path / "e.json").read_text())] == ratios
    assert all((tmp_path / name).stat().st_size for name in names)
    # A third is a third, however it is written.
    same = moderate(*args, "-r", "2/6,5e-1", "-o", tmp_path / "again.svg")
    assert same == done
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "e.svg").read_bytes()


def test_files_are_written_though_nobody_reads_the_table(grays, shell, tmp_path):
    line = f"moderate evaluate {grays} --seeds 1 -r 0.5 --strategy easy -o e.csv | true"
    assert shell(line).stderr == FEW
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("evaluate", "evaluation needs two classes, and there is only one"),
        ("suspects", "suspects: there is only one class, so no label can be wrong"),
    ],
)
def test_one_class_is_refused_before_it_is_embedded(command, needs, grays, moderate):
    done = moderate(command, grays / "a", "--store", grays.parent / "store")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == f"moderate: error: {needs}\n"
    assert not (grays.parent / "store").exists()


def test_a_test_set_that_does_not_match_is_refused_before_anything_is_embedded(
    grays, moderate, tmp_path
):
    paint(tmp_path / "test" / "new" / "x.png", 190)
    done = moderate("evaluate", grays, "--test", tmp_path / "test")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "/test: test class 'new' does not occur in DATA; pass the matching test set\n"
    )
    done = moderate("evaluate", grays, "--test", tmp_path / "missing")
    assert (done.status, done.stdout) == (1, "")
    for image in range(4, 20):
        for name in "abcd":
            (grays / name / f"{image:02}.png").unlink()
    done = moderate("evaluate", grays)
    assert (done.status, done.stdout) == (2, "")
    assert "no class has five images" in done.stderr
    assert not list(tmp_path.glob("*.moderate"))


def test_a_class_of_the_test_set_that_is_nearly_one_of_the_data_is_named(grays, moderate, tmp_path):
    (grays / "a").rename(grays / "trousers")
    paint(tmp_path / "test" / "trouser" / "0.png", 1)
    done = moderate("evaluate", grays, "--test", tmp_path / "test")
    assert "'trouser' does not occur in DATA (did you mean trousers?)" in done.stderr


def test_strategies_are_run_with_and_without_suspects(grays, moderate):
    args = ("--seeds", "1", "--ratio", "0.5", "--strategy", "adaptive")
    done = moderate("evaluate", grays, *args, "--drop-suspects", "auto")
    rows = [row[: -1 if row[-1] == "take" else None] for row in table(done.stdout)]
    assert [row[1] for row in rows if row[0] == "adaptive"] == ["off", "auto"]
    assert [row[1] for row in rows if row[0] == "random"] == ["off", "auto"]
    # Random selection is what all others are compared with, itself without suspects, too.
    assert [len(row) for row in rows if row[0] == "random"] == [6, 7]


def test_a_test_set_has_its_own_classes(grays, moderate, tmp_path):
    paint(tmp_path / "test" / "a" / "x.png", 10)
    paint(tmp_path / "test" / "d" / "x.png", 190)
    done = moderate("evaluate", grays, *ARGS, "--test", tmp_path / "test")
    assert done.status == 0
    assert table(done.stdout)[1][3].startswith("100.0")
    paint(tmp_path / "test" / "new" / "x.png", 190)
    done = moderate("evaluate", grays, *ARGS, "--test", tmp_path / "test")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "/test: test class 'new' does not occur in DATA; pass the matching test set\n"
    )


def test_the_smallest_selection_is_named(grays, moderate):
    done = moderate("evaluate", grays, *ARGS, "--within", "100%")
    assert " at 0.2 stays within 100 points of the full set's accuracy: " in done.stderr
    assert advised(done.stderr)[:2] == ["select", "--ratio"]
    assert "moderate select" not in done.stdout  # no second command
    done = moderate("evaluate", grays, "--seeds", "1", "--within", "0%")
    assert done.stderr == (
        f"{FEW}moderate: 3 seeds are needed to tell which selection stays within 0 points of the"
        " full set's accuracy\n"
    )


def test_what_is_advised_selects_what_was_measured(grays, moderate):
    how = ("--scope", "global", "--criterion", "neighbors", "--seed", "3")
    one = ("-r", "0.5", "--strategy", "moderate:0.25", "--seeds", "3", "--drop-suspects", "0.1")
    done = moderate("evaluate", grays, *one, *how, "--within", "100%")
    advice = advised(done.stderr)
    assert advice[:3] == ["select", "--ratio", "0.5"]
    for name, value in zip(how[::2], how[1::2], strict=True):
        assert advice[advice.index(name) + 1] == value
    assert moderate(*advice[:-2]).status == 0


def test_a_global_scope_is_refused_as_in_select(grays, moderate):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5")
    done = moderate(*args, "--strategy", "easy,matching", "--scope", "global")
    plain = moderate("select", grays, "-r", "0.5", "--strategy", "matching", "--scope", "global")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == plain.stderr.replace("select", "evaluate")
    assert "use --strategy matching or --scope global, not both" in done.stderr
    # Strategies that nobody named are those that go with it.
    done = moderate(*args, "--scope", "global")
    assert [row[0] for row in table(done.stdout)[2:]] == ["random", "moderate"]
    found = evaluate(grays, seeds=1, ratio=0.5, scope="global", **PIXELS)
    assert repr(found) == done.stdout
    done = moderate(*args, "--criterion", "neighbors")
    names = [row[0] for row in table(done.stdout)[2:]]
    assert names == ["random", "moderate", "matching"]


def test_the_scope_of_a_preset_gives_way_to_a_strategy(grays, moderate, tmp_path):
    (tmp_path / "own.toml").write_text('scope = "global"\n')
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--json")
    own = ("--config", tmp_path / "own.toml")
    for strategies, scope in (("matching", ()), ("easy", ("--scope", "global"))):
        done = moderate(*args, "--strategy", strategies, *own)
        assert (done.status, done.stderr) == (0, FEW)
        assert done.stdout == moderate(*args, "--strategy", strategies, *scope).stdout


def test_labels_that_are_probably_wrong_count_less(moderate, tmp_path):
    data = tmp_path / "data"
    for label in range(4):
        for image in range(25):
            given = "abcd"[(label + (image < 4)) % 4]
            draw(data / given / f"{label}-{image:02}.png", label, image)
    args = ("evaluate", data, "--seeds", "3", "-r", "0.5", "--strategy", "easy")
    done = moderate(*args)
    assert (done.status, done.stderr) == (
        0,
        "moderate: each seed judges on 20 held-out images; about 3 of their labels are probably"
        " wrong and count less\n",
    )
    assert moderate(*args) == done  # of what is finished, too
    # A test set is taken as it is.
    shutil.copytree(data, tmp_path / "test")
    done = moderate(*args, "--test", tmp_path / "test")
    assert (done.status, "their labels" in done.stderr) == (0, False)


def test_a_test_set_that_is_the_data_is_refused(grays, moderate):
    for test in (grays, f"{grays}/", f"{grays}/../{grays.name}"):
        done = moderate("evaluate", grays, "--test", test)
        assert (done.status, done.stdout) == (1, "")
        assert done.stderr == (
            f"moderate: error: {test}: is also DATA; pass a test set that is not trained on\n"
        )
    assert not grays.with_name(f"{grays.name}.moderate").exists()


def test_nothing_is_dropped_though_a_preset_says_so(grays, moderate):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--strategy", "easy")
    plain = moderate(*args)
    assert len(table(plain.stdout)) == 5
    assert moderate(*args, "--config", "noisy-labels", "--drop-suspects", "nothing") == plain
    args = ("select", grays, "-r", "0.5", "--config", "noisy-labels")
    assert "dropped no likely label errors" in moderate(*args).stderr
    told = moderate(*args, "--drop-suspects", "nothing").stderr
    assert "likely label errors" not in told
    assert "--drop-suspects" not in told
    assert told.startswith("moderate: warning: a linear probe on these features")


def test_a_limit_is_a_percentage_or_a_fraction(grays, moderate):
    args = ("evaluate", grays, *ARGS, "--within")
    assert moderate(*args, "25%").stderr == moderate(*args, "0.25").stderr
    done = moderate(*args, "1")
    assert (done.status, done.stdout) == (2, "")
    assert "--within: 1 is not in [0, 1). For 1 % write 0.01 or 1%." in done.stderr


def test_a_fraction_of_suspects_is_dropped(grays, moderate):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--strategy", "easy")
    done = moderate(*args, "--drop-suspects", "0.25")
    assert [row[0] for row in table(done.stdout) if row[1] == "0.25"] == [
        "full set", "easy", "adaptive", "random"
    ]  # fmt: skip
    # However many are to go, one of each class stays.
    done = moderate(*args, "--drop-suspects", "0.999")
    rows = [row for row in table(done.stdout) if row[1] == "0.999"]
    assert [row[3] for row in rows if row[0] == "full set"] == ["4"]


def test_the_environment_chooses_the_format(grays, moderate, monkeypatch):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--strategy", "easy")
    shown = moderate(*args, "--csv").stdout
    monkeypatch.setenv("MODERATE_CSV", "1")
    assert moderate(*args).stdout == shown
    assert moderate(*args, "--json").status == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--strategy", "best"), "'best' is unknown; choose one of adaptive, moderate, "),
        (("--strategy", "easy:0.2"), "'easy:0.2' is unknown; choose one of adaptive, moderate, "),
        (("--within", "101%"), "101% is not in [0, 1)"),
        (("--seeds", "0"), "0 is less than 1"),
        (("-o", "x.npy"), "unknown suffix"),
        (("--backbone", "resnet18"), "evaluate takes only one --backbone"),
    ],
)
def test_wrong_arguments(args, message, grays, moderate):
    done = moderate("evaluate", grays, "--backbone", "pixels", *args)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_picture_that_cannot_be_drawn_is_refused_at_once(grays, moderate, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = moderate("evaluate", grays, "-o", "c.png")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        "moderate: error: c.png: needs missing packages; pip install 'moderate-cli[report]'\n"
    )
    assert not (grays.parent / "grays.moderate").exists()  # nothing was embedded


def test_what_cannot_be_held_out_is_said(moderate, tmp_path):
    for name in "ab":
        for image in range(4):
            paint(tmp_path / "few" / name / f"{image}.png", 9 * image)
    for command in ("evaluate", "suggest"):
        done = moderate(command, tmp_path / "few")
        assert (done.status, done.stdout) == (2, "")
        assert "no class has five images" in done.stderr
    shutil.copytree(tmp_path / "few", tmp_path / "test")
    done = moderate("evaluate", tmp_path / "few", "--test", tmp_path / "test", "--seeds", "1")
    assert done.status == 0


TRAIN = ("--with", "train", "--size", "8", "--seeds", "1", "--strategy", "easy", "-r", "0.5")


def test_a_network_learns_what_gray_levels_tell(grays, moderate, counted):
    started = counted(training, "TrainLearner")
    done = moderate("evaluate", grays, *TRAIN, "--steps", "60")
    assert (done.status, done.stderr) == (0, FEW)
    full, easy, *_ = table(done.stdout)[1:]
    assert float(full[3]) > 50  # a quarter would be chance
    assert easy[:3] == ["easy", "0.5", "32"]
    # What is finished is not run again; fewer steps are something else.
    assert moderate("evaluate", grays, *TRAIN, "--steps", "60") == done
    assert len(started) == 1
    moderate("evaluate", grays, *TRAIN, "--steps", "1")
    assert len(started) == 2


def test_networks_of_torchvision_are_trained_on_a_test_set(grays, moderate, tmp_path):
    paint(tmp_path / "test" / "a" / "x.png", 10)
    args = (*TRAIN[:3], "32", *TRAIN[4:], "--steps", "1", "--test", tmp_path / "test")
    done = moderate("evaluate", grays, *args, "--network", "mobilenet_v3_small")
    assert done.status == 0
    done = moderate("evaluate", grays, *args, "--network", "vit_b_16")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "moderate: error: --network vit_b_16: does not work on pictures of 32 pixels; try --size"
        " 224 (see 'moderate evaluate --help')\n"
    )


def test_options_of_training_need_training(grays, moderate):
    done = moderate("evaluate", grays, "--steps", "7")
    assert done.status == 2
    assert "--steps needs --with train or --with fine-tune" in done.stderr


def test_fine_tuning_goes_on_from_the_weights_of_the_features(grays, moderate, tmp_path):
    torch.manual_seed(0)
    torch.save(models.resnet18(num_classes=7).state_dict(), tmp_path / "own.pt")
    args = ("evaluate", grays, "--with", "fine-tune", "--seeds", "1", "--strategy", "easy")
    args += ("-r", "0.5", "--backbone", "resnet18", "--weights", tmp_path / "own.pt")
    done = moderate(*args, "--steps", "20", "--size", "16")
    assert (done.status, done.stderr) == (0, FEW)
    full, easy, *_ = table(done.stdout)[1:]
    assert float(full[3]) > 50  # a quarter would be chance
    assert easy[:3] == ["easy", "0.5", "32"]


def test_what_cannot_be_fine_tuned_is_refused(grays, moderate):
    done = moderate("evaluate", grays, "--with", "fine-tune")
    assert done.status == 2
    assert "--with fine-tune needs a --backbone with weights" in done.stderr
    done = moderate("evaluate", grays, "--with", "fine-tune", "--network", "cnn")
    assert "--network needs --with train" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds: 0 is not positive"),
        ({"ratio": ["0.3", 1.5]}, "ratio: 1.5 is not in (0, 1]; it is the fraction kept"),
        ({"strategy": ["moderate:2"]}, "strategy: quantile 2 is not in [0, 1]"),
        ({"drop_suspects": 1}, "drop_suspects: 1 is not in (0, 1)"),
        ({"with_": "probes"}, "with: 'probes' is unknown; did you mean probe? Choose one of "),
        ({"with_": "train", "steps": 0}, "steps: 0 is not positive"),
        ({"size": 32}, "use with='probe' or size=32, not both"),
        ({"with_": "train", "network": "resnet"}, "network: 'resnet' is unknown; did you mean "),
        ({"with_": "fine-tune"}, "with='fine-tune' needs a backbone with weights"),
        (
            {"with_": "fine-tune", "backbone": "timm:test_vit"},
            "with='fine-tune' trains no model of timm or open_clip; choose another backbone",
        ),
        ({"backbone": ["pixels", "resnet18"]}, "evaluate takes only one backbone"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_embedded(options, message, grays):
    with pytest.raises(ArgumentError) as caught:
        evaluate(grays, **{**PIXELS, **options})
    assert str(caught.value).startswith(message)
    assert not (grays.parent / "grays.moderate").exists()
