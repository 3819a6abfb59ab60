"""Recipes run: Python, Make, and the commands of DVC, GitHub Actions and Docker.

What trains is real. FiftyOne, Datumaro and the trackers are stood in for: the recipes of those run
up to their calls.
"""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import PAGES, ROOT, blocks
from tests.docs.sessions import commands

STAND_INS = Path(__file__).parent / "stand_ins"
(RECIPES,) = (page for page in PAGES if page.stem == "recipes")


def yaml_of(key):
    """The YAML block with this key."""
    (found,) = (one for text in blocks(RECIPES, "yaml") if key in (one := yaml.safe_load(text)))
    return found[key]


def run(shell, line):
    printed = shell.run(f"({line}) && echo done")
    assert printed.endswith("done\n"), f"$ {line}\n{printed}"


def test_the_python_runs(shell):
    for command, _ in commands(RECIPES.read_text()):
        run(shell, command)
    examples = blocks(RECIPES, "python")
    imported = {name for text in examples for name in re.findall(r"^import (\w+)", text, re.M)}
    assert imported >= {"lightning", "timm", *(path.stem for path in STAND_INS.glob("*.py"))}
    for example in examples:
        (shell.folder / "example.py").write_text(example)
        run(shell, f"PYTHONPATH={STAND_INS}:$PYTHONPATH python example.py")


@pytest.mark.program("make")
def test_the_second_make_does_nothing(shell):
    (makefile,) = blocks(RECIPES, "make")
    (shell.folder / "Makefile").write_text(makefile)
    command, kept, _ = shell.run("make").splitlines()
    assert command == "moderate select --ratio 0.3 moderate-demo/train -o kept.txt"
    assert kept.startswith("moderate: Kept 108 of 360 images ")
    assert shell.run("wc -l < kept.txt").strip() == "108"
    assert shell.run("make") == "make: 'kept.txt' is up to date.\n"


def test_the_stage_of_dvc_makes_its_outputs_of_its_inputs(shell):
    (stage,) = yaml_of("stages").values()
    assert all((shell.folder / path).exists() for path in stage["deps"])
    assert not any((shell.folder / path).exists() for path in stage["outs"])
    run(shell, stage["cmd"])
    assert all((shell.folder / path).exists() for path in stage["outs"])


def test_the_steps_of_github_actions_run(shell):
    cache, *steps = yaml_of("steps")
    assert (shell.folder / cache["with"]["path"]).is_dir()
    run(shell, "moderate select --ratio 0.3 moderate-demo/train -o kept.json")
    for step in steps:
        run(shell, step["run"])
    victim = next((shell.folder / "moderate-demo" / "train").rglob("*.jpg"))
    victim.write_bytes(b"changed")
    changed = [shell.run(f"{step['run']} > /dev/null 2>&1 && echo same") for step in steps]
    assert changed != ["same\n"] * len(steps)


def test_the_dockerfile_installs_what_there_is_and_starts_the_command(shell):
    (dockerfile,) = blocks(RECIPES, "dockerfile")
    lines = [line.partition(" ") for line in dockerfile.splitlines()]
    assert {name for name, _, _ in lines} <= {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "ENTRYPOINT"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for _, _, command in (line for line in lines if line[0] == "RUN"):
        pip, install, *args = shlex.split(command)
        assert (pip, install) == ("pip", "install")
        for extras in re.findall(r"/moderate\[(.+)\]", " ".join(args)):
            assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    (entry,) = (value for name, _, value in lines if name == "ENTRYPOINT")
    assert yaml.safe_load(entry) == [*project["scripts"]]
    (script,) = (text for text in blocks(RECIPES, "sh") if "docker run" in text)
    build, start = script.replace("\\\n", "").splitlines()
    assert shlex.split(build) == ["docker", "build", "-t", "moderate", "."]
    run(shell, f"moderate {start.partition(' moderate ')[2]}")
    assert (shell.folder / "kept.txt").exists()
