"""Recipes run: Python, Make, and the commands of DVC, GitHub Actions and Docker.

What trains is real. FiftyOne, Datumaro and the trackers are stood in for: the recipes of those run
up to their calls.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
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


def dockerfile():
    """Each instruction, and its arguments."""
    (text,) = blocks(RECIPES, "dockerfile")
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    assert {name for name, _ in lines} <= {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "ENTRYPOINT"}
    return lines


def docker_run():
    """The options of `docker run`, and the arguments of the entry point."""
    (script,) = (text for text in blocks(RECIPES, "sh") if "docker run" in text)
    build, start = script.replace("\\\n", "").splitlines()
    assert shlex.split(build) == ["docker", "build", "-t", "moderate", "."]
    own, _, arguments = start.removeprefix("docker run ").partition(" moderate ")
    return shlex.split(own), arguments


def test_the_dockerfile_is_one_for_this_project():
    lines, project = dockerfile(), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    image = dict(lines)["FROM"]
    lowest = re.fullmatch(r">=3\.(\d+)", project["requires-python"])[1]
    assert int(re.fullmatch(r"python:3\.(\d+)-slim", image)[1]) >= int(lowest)
    for name, command in lines:
        if name == "RUN":
            pip, install, *args = shlex.split(command)
            assert (pip, install, args[0]) == ("pip", "install", "--no-cache-dir")
            for extras in re.findall(r"/moderate\[(.+)\]", " ".join(args)):
                assert set(extras.split(",")) <= project["optional-dependencies"].keys()
        elif name == "COPY":
            *sources, target = shlex.split(command)
            assert all((ROOT / one).exists() for one in sources)
            # A folder is copied as its contents, so its target has its name.
            folder = (ROOT / sources[0]).is_dir()
            assert target == (f"/moderate/{sources[0]}" if folder else "/moderate/")
    assert yaml.safe_load(dict(lines)["ENTRYPOINT"]) == [*project["scripts"]]
    own, _ = docker_run()
    assert own == [
        "--rm", "--init", "--user", "$(id -u):$(id -g)", "-v", f"$PWD:{dict(lines)['WORKDIR']}",
    ]  # fmt: skip
    assert dict(lines)["ENV"].split("=")[0] == "HOME"


def test_what_the_dockerfile_copies_is_installed_and_runs(shell, tmp_path):
    """Without the network: dependencies are those of the tests."""
    image = tmp_path / "image"
    for command in (shlex.split(one) for name, one in dockerfile() if name == "COPY"):
        *sources, target = command
        for one in sources:
            path = image / target.removeprefix("/") / (one if target.endswith("/") else "")
            path.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / one).is_dir() else shutil.copy
            copy(ROOT / one, path)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    here = Path(sysconfig.get_path("purelib"))
    (own,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (own / "tests.pth").write_text(f"{here}\n")  # below those of the environment
    *_, install = (shlex.split(command) for name, command in dockerfile() if name == "RUN")
    install[-1] = f"{image}{install[-1]}"
    offline = ["-q", "--no-index", "--no-build-isolation", "--no-deps"]
    subprocess.run(
        [tmp_path / "venv/bin/python", "-m", *install, *offline], check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    home, (_, arguments) = tmp_path / "home", docker_run()
    home.mkdir()
    done = subprocess.run(
        [tmp_path / "venv/bin/moderate", *shlex.split(arguments)], cwd=shell.folder,
        env={"HOME": str(home), "PATH": os.environ["PATH"]}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "moderate: Kept 108 of 360 images" in done.stderr
    assert "warning" not in done.stderr
    assert len((shell.folder / "kept.txt").read_text().splitlines()) == 108
