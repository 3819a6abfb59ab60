import pytest

from moderate_cli import perturb
from moderate_cli.errors import ArgumentError


def test_the_command_says_what_it_did(many, moderate, tmp_path):
    args = ("perturb", many, "-o", tmp_path / "p", "--label-noise", "0.1", "--corrupt", "0.5")
    done = moderate(*args)
    assert done == (
        0,
        "",
        f"moderate: Wrote 40 images, 4 in a wrong class, 20 ruined -> {tmp_path}/p; perturbed.csv"
        " lists the changes, with old and new paths\n",
    )
    again = moderate(*args)
    assert again.status == 1
    assert again.stderr == f"moderate: error: {tmp_path}/p: exists; choose another folder\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "missing --label-noise, --pair-noise, --corrupt or --attack"),
        (("--corrupt", "1.5"), "1.5 is not in [0, 1]"),
        (("--label-noise", "0.6", "--pair-noise", "0.6"), "together: 1.2 is not in [0, 1]"),
        (("--seed", "-1", "--corrupt", "1"), "-1 is less than 0"),
        (("--corrupt", "0.6", "--attack", "pgd", "--attack-fraction", "0.6"), "together: 1.2"),
        (("--attack", "pgd", "--network", "pixels"), "'pixels' is unknown; "),
        (("--corrupt", "1", "--epsilon", "4"), "--epsilon needs --attack"),
    ],
)
def test_wrong_arguments(args, message, many, moderate, tmp_path):
    done = moderate("perturb", many, "-o", tmp_path / "p", *args)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "missing label_noise, pair_noise, corrupt or attack"),
        ({"label_noise": 2}, "label noise: 2.0 is not in [0, 1]"),
        ({"attack": "cw"}, "attack: 'cw' is unknown; choose one of pgd, fgsm"),
        ({"attack": "pgd", "epsilon": 0}, "epsilon: 0 is not in [1, 255]"),
        ({"attack": "pgd", "network": "pixels"}, "network: 'pixels' is unknown; "),
        ({"corrupt": 1, "link": "soft"}, "link: 'soft' is unknown; choose one of none, hard, sym"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message, many, tmp_path):
    with pytest.raises(ArgumentError) as caught:
        perturb(many, tmp_path / "p", **options)
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "p").exists()


def test_a_perturbation_shows_what_was_done(many, tmp_path):
    made = perturb(many, tmp_path / "p", pair_noise=0.1, corrupt=0.25)
    assert (made.moved, made.ruined, len(made.images)) == (4, 10, 40)
    assert repr(made) == f"40 images, 4 in a wrong class, 10 ruined -> {tmp_path}/p"


def test_a_list_is_refused_with_what_to_pass(many, moderate, tmp_path):
    """Its other errors name --images, which this command does not have."""
    table = tmp_path / "a.csv"
    table.write_text("path,label\nnowhere/0.png,a\n")
    done = moderate("perturb", table, "-o", tmp_path / "p", "--corrupt", "0.5")
    assert (done.status, done.stderr) == (
        1,
        f"moderate: error: {table}: is a file; perturb needs a folder of class folders\n",
    )
