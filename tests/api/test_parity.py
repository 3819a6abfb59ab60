"""The functions of the package and the commands of the same names do the same."""

import inspect

import numpy as np
import pytest
from conftest import paint

import moderate_cli
from moderate_cli.cli import COMMANDS
from moderate_cli.errors import OptionError
from moderate_cli.presets import bundled, preset
from moderate_cli.scoring import of_features
from moderate_cli.selection import STRATEGIES

FEATURES = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}


@pytest.fixture(scope="module")
def grays(tmp_path_factory):
    """Three classes of twelve grays that overlap, with their features in place."""
    root = tmp_path_factory.mktemp("grays") / "train"
    rng = np.random.default_rng(0)
    for number, name in enumerate(("ash", "bone", "coal")):
        for image, level in enumerate(rng.integers(0, 120, 12).tolist()):
            paint(root / name / f"{image:02}.png", 60 * number + level)
    moderate_cli.embed(root, **FEATURES)
    return root


def arguments(**options):
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("criterion", [None, *of_features()])
def test_select_keeps_what_the_command_keeps(grays, moderate, strategy, criterion):
    options = {"ratio": "0.3", "strategy": strategy}
    if criterion is not None:
        options["criterion"] = criterion
    done = moderate("select", grays, *arguments(**options))
    if strategy == "adaptive" and criterion not in (None, "margin"):
        with pytest.raises(OptionError):
            moderate_cli.select(grays, **options, **FEATURES)
        assert (done.status, done.stdout) == (2, "")
        assert f"use --strategy adaptive or --criterion {criterion}, not both" in done.stderr
        return
    found = moderate_cli.select(grays, **options, **FEATURES)
    assert done.status == 0, done.stderr
    assert found.paths == done.stdout.splitlines()
    assert len(found.paths) == len(found.rows) == np.count_nonzero(found)


@pytest.mark.parametrize("name", bundled())
@pytest.mark.parametrize("command", ["select", "score"])
def test_presets_mean_the_same(grays, moderate, name, command):
    own = preset(name) | {"device": "cpu", "precision": "float32", "decode": "full"} | FEATURES
    args = ("--config", name, "--device", "cpu", "--precision", "float32", "--decode", "full")
    if command == "score":
        known = inspect.signature(moderate_cli.score).parameters | FEATURES
        own = {key: value for key, value in own.items() if key in known}
        scores = moderate_cli.score(grays, **own)
        lines = [f"{v:.9g}\t{path}" for v, path in zip(scores.values, scores.paths, strict=True)]
        assert moderate("score", grays, *args).stdout.splitlines() == lines
    else:
        found = moderate_cli.select(grays, ratio=0.4, **own)
        assert moderate("select", "-r", "0.4", grays, *args).stdout.splitlines() == found.paths


def test_suspects_and_duplicates_list_what_the_commands_list(grays, moderate):
    found = moderate_cli.suspects(grays, fraction=0.2, **FEATURES)
    lines = moderate("suspects", grays, "--fraction", "0.2").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == found.paths
    assert len(lines) == 7
    near = moderate_cli.duplicates(grays, threshold=0.99, **FEATURES)
    lines = moderate("duplicates", grays, "--threshold", "0.99").stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == near.paths
    assert near.paths


def test_evaluate_finds_what_the_command_finds(grays, moderate):
    options = {"ratio": [0.5], "strategy": ["easy", "matching"], "seeds": 2}
    found = moderate_cli.evaluate(grays, **options, **FEATURES)
    args = ("--ratio", "0.5", "--strategy", "easy,matching", "--seeds", "2")
    assert moderate("evaluate", grays, *args).stdout == repr(found)
    single = moderate_cli.evaluate(grays, ratio=0.5, strategy="easy", seeds=1, **FEATURES)
    assert [line.cell.name for line in single.lines] == ["full set", "easy", "adaptive", "random"]


def test_features_and_scores_of_arrays_and_of_files_are_selected_alike(moderate, tmp_path, rng):
    features, labels = rng.random((40, 3)), rng.integers(0, 3, 40)
    for name, array in (("f", features), ("y", labels), ("s", features[:, 0])):
        np.save(tmp_path / f"{name}.npy", array)
    f, y, s = (str(tmp_path / f"{name}.npy") for name in "fys")
    done = moderate("select", "-r", "0.3", "--features", f, "--labels", y, "--strategy", "herding")
    for one, other in ((f, y), (features, labels), ([features], y)):
        found = moderate_cli.select(features=one, labels=other, ratio=0.3, strategy="herding")
        assert found.paths == done.stdout.splitlines()
    done = moderate("select", "--count", "9", "--scores", s, "--labels", y, "--scope", "global")
    found = moderate_cli.select(scores=features[:, 0], labels=labels, count=9, scope="global")
    assert found.paths == done.stdout.splitlines()


COUNTERPARTS = {
    # Options that say where a command writes, or how it is started.
    "select": "output copy-to manifest split link force counts invert null config verbose",
    "score": "output histogram config verbose",
    "suspects": "output config verbose copy-to link force",
    "duplicates": "output config verbose",
    "evaluate": "output csv json within config verbose",
    "suggest": "output copy-to force verbose",
    "report": "open config verbose",
    "embed": "dry-run engine ray-address gpus-per-worker num-workers config verbose",
    "perturb": "config",
    "info": "json",
    "verify": "output",
}


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_a_command_and_its_function_have_the_same_options(name):
    import importlib

    command = importlib.import_module(f"moderate_cli.cli.{name}").command
    long = {max(param.opts, key=len).removeprefix("--") for param in command.params}
    function = getattr(moderate_cli, name)
    known = set()
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            hints = inspect.get_annotations(function, eval_str=True)
            known |= hints[key].__args__[0].__annotations__.keys()
        else:
            known.add(key)
    if "label-column" in long:  # those of `scan`, whose result is passed to the function
        known |= inspect.signature(moderate_cli.scan).parameters.keys() - {"root"}
    known = {key.rstrip("_").replace("_", "-") for key in known} - {
        "listener",
        "progress",
        "cluster",
    }
    assert long - set(COUNTERPARTS[name].split()) == known


def test_every_command_has_its_function_and_every_name_its_example():
    functions = {"scan", "export"} | COMMANDS.keys() - {"demo", "help"}
    assert functions <= set(dir(moderate_cli))
    for name in dir(moderate_cli):
        assert ">>>" in (getattr(moderate_cli, name).__doc__ or ""), name
