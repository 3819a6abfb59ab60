import numpy as np
import pytest
from shown import without_closing

from moderate_cli.presets import bundled


@pytest.fixture
def preset(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


def kept(done):
    assert done.status == 0, done.stderr
    return done.stdout.splitlines()


def test_bundled_presets_are_used_by_name(embedded, moderate):
    assert list(bundled()) == [
        "cpu",
        "gpu",
        "noisy-labels",
        "paper",
        "released-code",
    ]
    for name in bundled():
        if name != "gpu":
            assert len(kept(moderate("select", "-r", "0.5", "--config", name, embedded))) == 4


def test_a_file_sets_options_of_several_commands(embedded, moderate, preset):
    path = preset('ratio = [0.5]\nscope = "class"\nquantile = 0\ncenter = "median"\n')
    assert kept(moderate("select", embedded, "--config", path)) == [
        "cat/1.png",
        "cat/2.png",
        "dog/0.png",
        "owl/0.png",
    ]
    assert kept(moderate("score", embedded, "--config", path))[2] == "0\tcat/2.png"


def test_values_of_any_type_are_read_as_on_the_command_line(
    embedded, moderate, preset, monkeypatch
):
    monkeypatch.chdir(embedded.parent)
    path = preset("drop-suspects = 1.5\n")
    done = moderate("select", "-r", "0.5", embedded, "--config", path)
    assert (done.status, "1.5 is not in (0, 1)" in done.stderr) == (2, True)
    assert moderate("score", embedded, "--config", preset("within = 1\nstore = 5\n")).status == 0
    for text in ("quantile = true", "null = 1", "strategy = false"):
        done = moderate("select", "-r", "0.5", embedded, "--config", preset(text))
        assert (done.status, "true or false" in done.stderr) == (2, True)
    assert (
        "\0" in moderate("select", "-r", "0.5", embedded, "--config", preset("null = true")).stdout
    )


def test_settings_for_other_commands_do_no_harm(embedded, moderate, preset, monkeypatch):
    path = preset('link = "hard"\npart = "1/2"\n')
    assert len(kept(moderate("select", "-r", "0.5", embedded, "--config", path))) == 4
    monkeypatch.setenv("MODERATE_LINK", "symbolic")
    monkeypatch.setenv("MODERATE_NULL", "1")
    output = embedded.parent / "kept.csv"
    assert moderate("select", "-r", "0.5", embedded, "-o", output).status == 0


# A forgotten file or variable must not decide what is written or replaced.
COMMAND_LINE_ONLY = {
    "output": '"x.txt"',
    "copy-to": '"x"',
    "png": '"x"',
    "force": "true",
    "invert": "true",
    "counts": "true",
    "dry-run": "true",
    "open": "true",
}


@pytest.mark.parametrize("command", ["select", "score", "report", "duplicates", "embed", "perturb"])
@pytest.mark.parametrize("key", COMMAND_LINE_ONLY)
def test_outputs_are_set_on_the_command_line_only(
    embedded, moderate, preset, monkeypatch, command, key
):
    path = preset(f"seed = 1\n{key} = {COMMAND_LINE_ONLY[key]}\n")
    assert moderate(command, "--config", path, embedded) == (
        2,
        "",
        f"moderate: error: {path}: {key} works only on the command line, as --{key}"
        f" (see 'moderate {command} --help')\n",
    )


def test_the_environment_does_not_set_outputs(embedded, moderate, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    args = ("select", "-r", "1", embedded)
    expected = moderate(*args)
    assert (expected.status, expected.stdout.count("\n")) == (0, 8)
    moderate(*args, "--copy-to", "out")
    moderate("report", embedded)
    page = embedded.with_name("train-report.html")
    page.unlink()
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    for key, value in COMMAND_LINE_ONLY.items():
        value = {"true": "1"}.get(value, value.strip('"'))
        monkeypatch.setenv(f"MODERATE_{key.replace('-', '_').upper()}", value)
    assert moderate(*args) == expected
    assert moderate("score", embedded).stdout.count("\n") == 8
    refused = moderate(*args, "--copy-to", "out")
    assert (refused.status, refused.stdout) == (1, "")
    assert moderate("report", embedded).status == 0
    page.unlink()  # as without the variables
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_the_command_line_beats_the_environment_beats_the_file(
    embedded, moderate, preset, monkeypatch
):
    path = preset("count = 1\n")
    assert len(kept(moderate("select", embedded, "--config", path))) == 1
    monkeypatch.setenv("MODERATE_COUNT", "2")
    assert len(kept(moderate("select", embedded, "--config", path))) == 2
    assert len(kept(moderate("select", embedded, "--config", path, "--count", "3"))) == 3


@pytest.mark.parametrize("seed", range(5))
def test_the_preset_released_code_is_its_formula_but_for_rounding(moderate, tmp_path, seed):
    rng = np.random.default_rng(seed)
    n, ratio = int(rng.integers(30, 300)), float(rng.choice([0.1, 0.3, 0.45]))
    features, labels = rng.standard_normal((n, 4)), 2 * rng.integers(0, 9, n)
    labels[0] = 99  # a class of one image, which the window leaves out
    prototypes = np.stack([np.median(features[labels == label], axis=0) for label in labels])
    rank = np.argsort(np.linalg.norm(features - prototypes, axis=1))
    released = set(rank[round(n * (0.5 - ratio / 2)) : round(n * (0.5 + ratio / 2))].tolist())
    np.save(tmp_path / "f.npy", features)
    np.save(tmp_path / "y.npy", labels)
    arrays = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    done = moderate("select", "-r", str(ratio), "--config", "released-code", *arrays)
    rows = {int(line) for line in kept(done)}
    assert len(rows - released) <= 1
    assert len(released - rows) <= 1


def test_a_count_on_the_command_line_beats_a_ratio_in_a_file(embedded, moderate, preset):
    path = preset("ratio = 0.5\n")
    assert len(kept(moderate("select", embedded, "--config", path, "--count", "1"))) == 1
    assert moderate("select", embedded, "--config", preset("ratio = 1\ncount = 1")).status == 2


def test_a_center_in_a_file_or_the_environment_gives_way_to_what_does_not_use_it(
    embedded, moderate, preset, monkeypatch
):
    args = ("select", "-r", "0.5", embedded, "--strategy", "adaptive")
    plain = kept(moderate(*args))
    assert kept(moderate(*args, "--config", preset("center = 'median'\n"))) == plain
    monkeypatch.setenv("MODERATE_CENTER", "median")
    assert kept(moderate(*args)) == plain
    assert moderate("score", embedded, "--criterion", "margin").status == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("centre = 'mean'", "option 'centre' is unknown; did you mean center? (see"),
        ("config = 'paper'", "option 'config' is unknown (see"),
        (
            "center = 'middle'",
            "center: 'middle' is unknown; choose one of mean, median, geometric-median (see",
        ),
        (
            "ratio = 3",
            "ratio: 3 is not in (0, 1]; it is the fraction kept. For 3 % write 0.03 or 3%.",
        ),
        ("[select]\nratio = 1", "option 'select' is unknown"),
        ("ratio", "is not TOML ("),
        ("batch-size = 0", "batch-size: 0 is less than 1."),
        ("seed = " + "9" * 5000, "seed: has too many digits"),
        ("store = 'x'\nseed = 1_" + "0" * 5000, "seed: has too many digits"),
        ("ratio = " + "[" * 5000, "is nested too deeply (see"),
        ("ratio = " + "[" * 50 + "]" * 50, "ratio: cannot be a list"),
        ("backbone = []", "backbone: is an empty list; add a value or remove the line"),
        ("ratio = []", "ratio: is an empty list; add a value or remove the line"),
        ("seed = [1]", "seed: cannot be a list"),
        ("store = ['a', 'b']", "store: cannot be a list"),
        ("store = {a = 1}", "store: cannot be a table"),
        ("[store]\na = 1", "store: cannot be a table"),
        ("backbone = [['pixels']]", "backbone: cannot be a list"),
        ("backbone = [true]", "backbone: cannot be true or false"),
        ("store = 2020-01-01", "store: cannot be a date"),
        ("seed = 12:30:00", "seed: cannot be a date"),
        ("seed = inf", "seed: 'inf' is not a whole number."),
        ("dedup = nan", "dedup: 'nan' is not a number."),
        (
            "store = 'a\0b'".replace("'", '"').replace("\0", "\\u0000"),
            "store: contains a NUL character",
        ),
        (
            "strategy = 'maching'\nscope = 'klass'",
            "scope: 'klass' is unknown; did you mean class? Choose one of global, class (see",
        ),
        (
            "backbone = 'resnet_50'",
            "backbone: 'resnet_50' is unknown; did you mean resnet50? `moderate backbones`"
            " lists all; timm:NAME takes models of timm; --features takes features of any other"
            " (see",
        ),
    ],
)
def test_a_bad_file_is_wrong_usage(embedded, moderate, preset, text, message):
    path = preset(text)
    done = moderate("select", embedded, "--config", path)
    assert done.status == 2
    assert done.stderr.startswith(f"moderate: error: {path}: {message}")
    assert done.stderr.count("\n") == 1


def test_an_unknown_preset_names_those_there_are(embedded, moderate):
    assert moderate("select", embedded, "--config", "papper") == (
        2,
        "",
        "moderate: error: papper: No such file or directory; did you mean paper? Bundled"
        " presets: cpu, gpu, noisy-labels, paper, released-code (see 'moderate select --help')\n",
    )


def test_a_conflict_names_the_file_or_the_variable_that_set_an_option(
    embedded, moderate, preset, monkeypatch
):
    path = preset('strategy = "matching"\nscope = "global"\n')
    set_here = f"(from --config {path})"
    for args, both in (
        (
            ("--config", path),
            f"--strategy matching {set_here} or --scope global {set_here}",
        ),
        (
            ("--config", "noisy-labels", "--scope", "global"),
            "--strategy adaptive (from --config noisy-labels) or --scope global",
        ),
        (
            ("--strategy", "graph", "--scope", "global"),
            "--strategy graph or --scope global",
        ),
    ):
        done = moderate("select", "-r", "0.5", embedded, *args)
        assert done == (
            2, "", f"moderate: error: use {both}, not both (see 'moderate select --help')\n"
        )  # fmt: skip
    monkeypatch.setenv("MODERATE_BALANCE", "sqrt")
    done = moderate("select", "-r", "0.5", embedded, "--scope", "global")
    assert "use --balance sqrt (from MODERATE_BALANCE) or --scope global, not both" in done.stderr


def test_a_braced_file_name_is_named_as_it_is(embedded, moderate, preset):
    path = preset('strategy = "matching"\nscope = "global"\n')
    braced = path.rename(path.with_name("{0}.toml"))
    done = moderate("select", "-r", "0.5", embedded, "--config", braced)
    assert f"--strategy matching (from --config {braced}) or" in done.stderr


def test_a_preset_gives_way_to_the_command_line(embedded, moderate):
    args = ("select", "-r", "0.5", embedded)
    plain = moderate(*args, "--strategy", "matching")
    assert plain.status == 0
    done = moderate(*args, "--strategy", "matching", "--config", "paper")
    assert done.stdout == plain.stdout
    assert without_closing(done.stderr) == (
        "moderate: warning: scope global from --config paper has no effect with --strategy"
        " matching\n"
    )
    shares = moderate(*args, "--balance", "sqrt")
    assert moderate(*args, "--balance", "sqrt", "--config", "paper").stdout == shares.stdout


def test_a_preset_that_gives_way_to_the_environment_says_which_option_goes_before_both(
    pictures, moderate, preset, monkeypatch
):
    args = ("select", "-r", "0.5", pictures, "--config", preset('scope = "global"\n'))
    window = moderate(*args)
    monkeypatch.setenv("MODERATE_STRATEGY", "matching")
    done = moderate(*args)
    assert done.stdout == moderate("select", "-r", "0.5", pictures).stdout != window.stdout
    assert without_closing(done.stderr) == (
        f"moderate: warning: scope global from --config {args[-1]} has no effect with --strategy"
        " matching from MODERATE_STRATEGY; --strategy on the command line goes before it\n"
    )
    again = moderate(*args, "--strategy", "moderate")
    assert (again.stdout, without_closing(again.stderr)) == (window.stdout, "")


def test_a_center_that_a_file_sets_in_vain_is_said(pictures, moderate, preset, monkeypatch):
    path = preset('center = "median"\n')
    for args in (("select", "-r", "0.5"), ("score",)):
        done = moderate(*args, pictures, "--criterion", "margin", "--config", path)
        assert done.status == 0
        assert without_closing(done.stderr) == (
            f"moderate: warning: center median from --config {path} has no effect with --criterion"
            " margin\n"
        )
    monkeypatch.setenv("MODERATE_CENTER", "median")
    done = moderate("score", pictures, "--criterion", "margin")
    assert "center median from MODERATE_CENTER has no effect" in done.stderr
    assert moderate("score", pictures).stderr == ""
