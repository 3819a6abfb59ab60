"""The last lines of `select`: what was kept, of what, and the hint for another setting."""

import shlex

import numpy as np
import pytest
from conftest import paint

KEPT = "moderate: Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate"
PAPER = "moderate: hint: the default is the paper's window; to train on the result, use: "


def test_the_closing_line_says_how_many_of_what_and_where(embedded, moderate, tmp_path):
    for output, where in (
        ((), ""),
        (("-o", tmp_path / "k.csv"), f" -> {tmp_path}/k.csv"),
        (
            ("-o", tmp_path / "k.csv", "--copy-to", tmp_path / "out"),
            f" -> {tmp_path}/k.csv and {tmp_path}/out",
        ),
    ):
        kept, hint = moderate("select", "-r", "0.5", embedded, *output).stderr.splitlines()
        assert kept == f"{KEPT}{where}"
        assert hint.startswith(PAPER)


def test_the_hint_is_a_command_that_can_be_pasted(embedded, moderate, tmp_path):
    out = tmp_path / "my kept.txt"
    args = ("-r", "0.5", embedded, "--balance", "uniform", "-o", out)
    hint = moderate("select", *args).stderr.splitlines()[-1]
    words = shlex.split(hint.removeprefix(PAPER))
    assert words[:2] == ["moderate", "select"]
    done = moderate(*words[1:])
    assert done.status == 0
    assert f" with adaptive -> {out}\n" in done.stderr
    expected = moderate("select", *args[:-2], "--strategy", "adaptive")
    assert out.read_text() == expected.stdout


def test_several_ratios_have_a_line_each_and_one_hint(embedded, moderate, tmp_path):
    args = ("-r", "0.5,1/4", embedded, "-o", tmp_path / "k-{ratio}.txt")
    _, *lines, hint = moderate("select", *args).stderr.splitlines()
    assert [line.rpartition("/")[2] for line in lines] == ["k-0.5.txt", "k-1-4.txt"]
    assert " --ratio 0.5,1/4 --strategy adaptive " in hint


@pytest.mark.parametrize(
    "options",
    [
        ("--strategy", "moderate"),  # asked for
        ("--strategy", "random"),
        ("--quantile", "0.25"),
        ("--scope", "global"),
        ("--criterion", "neighbors"),
        ("--config", "paper-window"),
        ("--labels", "kmeans:2"),
        ("--ratio", "1"),  # there is nothing to choose
    ],
)
def test_who_chose_the_setting_is_not_told_of_another(embedded, moderate, tmp_path, options):
    (tmp_path / "own.toml").write_text('strategy = "moderate"\n')
    options = tuple(tmp_path / "own.toml" if one == "paper-window" else one for one in options)
    done = moderate("select", "-r", "0.5", embedded, *options)
    assert done.status == 0, done.stderr
    assert "hint: the default" not in done.stderr


def test_new_images_are_told_when_they_are_embedded(embedded, moderate):
    paint(embedded / "owl" / "9.png", 77)
    done = moderate("select", "-r", "0.5", embedded, "--strategy", "easy")
    told, kept = done.stderr.splitlines()
    assert told == "moderate: embedding 1 new or changed image; 8 are as before"
    assert kept.startswith("moderate: Kept 5 of 9 images ")
    assert "new or changed" not in moderate("select", "-r", "0.5", embedded).stderr


def test_scores_have_no_features_for_another_strategy(moderate, tmp_path):
    np.save(tmp_path / "s.npy", np.arange(9.0))
    done = moderate("select", "-r", "1/3", "--scores", tmp_path / "s.npy")
    assert done.stderr == (
        "moderate: Kept 3 of 9 images in 1 class (33 % of the 9; 0 dropped first) with moderate\n"
    )


def test_what_was_dropped_first_is_not_counted(embedded, moderate):
    done = moderate("select", "-r", "0.5", embedded, "--drop-suspects", "0.25", "--counts")
    assert (
        "moderate: Would keep 4 of 8 images in 3 classes (57 % of the 7 left; 1 dropped first)"
        " with moderate\n" in done.stderr
    )


def test_an_inverted_selection_lists_what_is_not_kept(embedded, moderate):
    done = moderate("select", "-r", "0.5", embedded, "--invert", "--strategy", "easy")
    assert done.stderr == (
        "moderate: Listed 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) not kept by"
        " easy\n"
    )


def test_features_that_do_not_know_the_classes_lead_to_random(moderate, tmp_path, rng):
    for name in "abc":
        for image in range(20):
            paint(tmp_path / "data" / name / f"{image}.png", int(rng.integers(255)))
    done = moderate("select", "-r", "0.5", tmp_path / "data", "--strategy", "adaptive")
    assert " random is safer: moderate select --ratio 0.5 --strategy random " in done.stderr
