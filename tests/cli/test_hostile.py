"""Odd names, links, permissions and sizes, from dataset to index and export."""

import csv
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import paint
from nobody import as_nobody
from shown import without_closing
from torchvision.datasets import ImageFolder

import moderate_cli
from moderate_cli.embedding.engines import local
from moderate_cli.errors import ArgumentError, DeviceError
from moderate_cli.evaluation import training
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection.counts import exact

ODD = [
    " leading and trailing .png ",
    "-rf.png",
    "'quotes\"`$(touch pwned)`.png",
    "tab\there.png",
    "new\nline.png",
    "carriage\rreturn.png",
    "\x1b[31mred\x07.png",
    os.fsdecode(b"not utf-8 \xff\xfe.png"),
    "\U0001f40b emoji.png",
    "e\u0301 and \u00e9.png",
    "x" * 251 + ".png",
    "~.png",
    "%s {0} \\n.PNG",
]


@pytest.fixture
def odd(tmp_path):
    """A dataset of odd names in odd classes, some of them differing in case only."""
    root = tmp_path / "-odd\ndata"
    names = [name.strip() for name in ODD]
    for label, class_name in enumerate(("Case", "case", "\x1b[2J", os.fsdecode(b"\xff"), "-o")):
        for number, name in enumerate(names):
            paint(root / class_name / name, (20 * number + label) % 256)
    paint(root.joinpath("case", *["deep" * 20] * 20, "a.png"), 3)
    return root


def reference(root):
    samples = ImageFolder(root).samples
    return [os.path.relpath(path, root) for path, _ in samples]


def test_odd_names_come_out_as_they_went_in(odd, moderate, tmp_path):
    paths = reference(odd)
    done = moderate("select", "-r", "1", "-0", f"{odd}/")
    assert sorted(done.stdout.split("\0")[:-1]) == sorted(paths)
    for name in ("k.csv", "k.json", "k.npy"):
        assert moderate("select", "-r", "1", odd, "-o", tmp_path / name).status == 0
    with (tmp_path / "k.csv").open(newline="", errors="surrogateescape") as file:
        assert [row["path"] for row in csv.DictReader(file)] == paths
    found = json.loads((tmp_path / "k.json").read_text())
    assert [image["path"] for image in found["images"]] == paths
    assert np.load(tmp_path / "k.npy").tolist() == list(range(len(paths)))
    refused = moderate("select", "-r", "1", odd)
    assert (refused.status, refused.stdout) == (1, "")
    assert refused.stderr.endswith("contains a newline; use -0 to end names with NUL\n")


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_odd_names_are_exported_and_nothing_beside(odd, moderate, tmp_path, link):
    target = tmp_path / "out\n"
    assert moderate("select", "-r", "1", odd, "--copy-to", target, "--link", link).status == 0
    assert reference(target) == reference(odd)
    made = sorted(os.listdir(tmp_path))
    assert made == sorted([odd.name, f"{odd.name}.moderate", target.name])


def test_a_terminal_is_shown_no_control_character(odd, tmp_path):
    for args in (["score"], ["select", "-r", "1", "--counts"], ["info"], ["embed", "-n"]):
        terminal, end = pty.openpty()
        environment = os.environ | {"MODERATE_BACKBONE": "pixels", "MODERATE_RUNTIME": "torch"}
        environment["NO_COLOR"] = "1"  # so that any escape sequence is one of a name
        (odd / "case" / "new\nline.png").unlink(missing_ok=True)
        for folder in odd.iterdir():
            (folder / "new\nline.png").unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "moderate_cli", *args, odd],
            stdout=end, stderr=end, env=environment,
        )  # fmt: skip
        os.close(end)
        shown = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # how a terminal says that nobody writes to it any more
                break
            shown += part
        os.close(terminal)
        assert process.wait() == 0, shown
        # A progress bar returns to the start of the line, and moves up one when it is done.
        text = shown.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\x1b[A", b"")
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text), text


def test_links_are_followed_as_image_folder_does_and_never_written_through(data, tmp_path):
    outside = tmp_path / "outside"
    paint(outside / "far.png", 9)
    (data / "cat" / "link.png").symlink_to(outside / "far.png")
    (data / "cat" / "folder").symlink_to(outside)
    (data / "bee").symlink_to(outside)
    dataset = moderate_cli.scan(data)
    assert list(dataset.paths) == reference(data)
    store = moderate_cli.embed(dataset, backbone="pixels", runtime="torch")
    assert not store.unreadable
    before = sorted(path.stat().st_mtime_ns for path in outside.iterdir())
    moderate_cli.export(dataset, np.ones(len(dataset), dtype=bool), tmp_path / "out")
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert sorted(path.stat().st_mtime_ns for path in outside.iterdir()) == before
    assert os.listdir(outside) == ["far.png"]


def test_odd_files_are_named_and_a_rerun_leaves_them_out_at_once(data, moderate, monkeypatch):
    (data / "cat" / "folder.jpg").mkdir()
    (data / "cat" / "broken.png").symlink_to("nowhere")
    (data / "cat" / "loop.png").symlink_to("loop.png")
    (data / "cat" / "page.jpg").write_text("<!DOCTYPE html><title>404</title>")
    (data / "cat" / "zero.jpg").touch()
    os.mkfifo(data / "cat" / "fifo.png")
    done = moderate("select", "-r", "1", data)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.replace(f"{data}/cat/", "").splitlines() == [
        "moderate: error: broken.png: No such file or directory",
        "moderate: error: fifo.png: is not a regular file",
        "moderate: error: loop.png: Too many levels of symbolic links",
        "moderate: error: page.jpg: is not an image in a known format",
        "moderate: error: zero.jpg: is empty",
        "moderate: error: 5 unreadable images; --on-error skip leaves them out",
    ]
    # Nothing is embedded any more: the network would not even load.
    monkeypatch.setitem(sys.modules, "moderate_cli.networks.backbones", None)
    done = moderate("select", "-r", "1", "--on-error", "skip", data)
    assert done.status == 0
    assert len(done.stdout.splitlines()) == 8
    assert without_closing(done.stderr) == "moderate: warning: skipped 5 unreadable of 13 images\n"


@pytest.fixture
def home(data, tmp_path):
    """A folder that everybody may write to, beside a dataset that nobody may."""
    for folder in (*tmp_path.parents, tmp_path):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    for path in (data.parent, data, *data.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    yield home
    for path in (data.parent, data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_read_only_dataset_needs_a_store_elsewhere(data, home):
    status, error = as_nobody(home, "select", "-r", "1", data)
    assert (status, error) == (
        1,
        f"moderate: error: {data}.moderate: Permission denied; pass another --store DIR\n",
    )
    status, error = as_nobody(home, "select", "-r", "1", data, "--store", home / "store")
    assert status == 0, error
    assert len((home / "stdout").read_text().splitlines()) == 8


def test_a_file_that_may_not_be_read_is_tried_again(data, home):
    (data / "cat" / "2.png").chmod(0)
    args = ("select", "-r", "1", data, "--store", home / "store")
    status, error = as_nobody(home, *args)
    assert status == 1
    assert error.startswith(f"moderate: error: {data}/cat/2.png: Permission denied\n")
    status, error = as_nobody(home, *args, "--on-error", "skip")
    skipped = "moderate: warning: skipped 1 unreadable of 8 images\n"
    assert (status, without_closing(error)) == (0, skipped)
    (data / "cat" / "2.png").chmod(0o444)  # which its modification time does not tell
    status, error = as_nobody(home, *args)
    changed = "moderate: embedding 1 new or changed image; 7 are as before\n"
    assert (status, without_closing(error)) == (0, changed)
    assert len((home / "stdout").read_text().splitlines()) == 8


def test_another_datasets_store_and_other_options_are_never_used(data, moderate, tmp_path):
    paint(tmp_path / "other" / "cow" / "1.png", 1)
    assert moderate("embed", data, "--store", tmp_path / "store").status == 0
    refused = moderate("embed", tmp_path / "other", "--store", tmp_path / "store")
    assert refused.status == 1
    assert "holds the features of another dataset" in refused.stderr
    folder = tmp_path / "store" / "pixels-float32-float32"
    folder.rename(tmp_path / "store" / "pixels-bfloat16-float32")
    refused = moderate("embed", data, "--store", tmp_path / "store", "--precision", "bfloat16")
    assert refused.status == 1
    assert "damaged (was made with other options)" in refused.stderr


def test_22000_classes(moderate, tmp_path, rng):
    labels = rng.permutation(np.arange(44_000) % 22_000)
    np.save(tmp_path / "f.npy", rng.random((44_000, 8), np.float32))
    np.save(tmp_path / "y.npy", labels)
    for scope in ("global", "class"):
        args = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
        done = moderate("select", "-r", "0.5", "--scope", scope, *args, "-o", tmp_path / "k.npy")
        assert done.status == 0, done.stderr
        kept = np.load(tmp_path / "k.npy")
        assert len(kept) == 22_000
        assert len(np.unique(labels[kept])) == 22_000


@pytest.mark.parametrize(
    ("levels", "ratio", "count"),
    [({"cat": 1}, "1", 1), ({"cat": 1}, "0.01", 1), ({"cat": 5}, "0.01", 1), ({"cat": 5}, "1", 5),
     ({"cat": 1, "dog": 1}, "0.5", 1), ({"cat": 1, "dog": 4}, "0.4", 2)],
)  # fmt: skip
def test_the_smallest_datasets(moderate, tmp_path, levels, ratio, count):
    for name, number in levels.items():
        for image in range(number):
            paint(tmp_path / "d" / name / f"{image}.png", 10 * image)
    done = moderate("select", "-r", ratio, tmp_path / "d")
    assert (done.status, len(done.stdout.splitlines())) == (0, count)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: None, "No such file or directory; name a dataset folder"),
        (
            lambda d: d.touch(),
            "is not a dataset; name a folder, or a .csv, .tsv, .jsonl, .parquet, .txt or .tar file",
        ),
        (lambda d: d.mkdir(), "contains neither class folders nor images ("),
        (lambda d: (d / "cat").mkdir(parents=True), "there are no images (.jpg"),
    ],
)
def test_no_dataset(moderate, tmp_path, make, message):
    make(tmp_path / "d")
    done = moderate("select", "-r", "1", tmp_path / "d")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"moderate: error: {tmp_path}/d: {message}")


ARRAYS = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-9]), "is not a .npy array ("),
    "pickled": (
        lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True),
        "is not a .npy array (",
    ),
    "text": (lambda p: p.write_text("1 2 3"), "is not a .npy array ("),
    "empty file": (lambda p: p.write_bytes(b""), "is not a .npy array ("),
    "vector": (lambda p: np.save(p, np.zeros(4)), "is float64 (4,); a float matrix"),
    "integers": (lambda p: np.save(p, np.zeros((4, 2), int)), "is int64 (4, 2); a float"),
    "complex": (lambda p: np.save(p, np.zeros((4, 2), complex)), "is complex128 (4, 2)"),
    "no rows": (lambda p: np.save(p, np.zeros((0, 2))), "is empty; a float matrix"),
    "NaN": (
        lambda p: np.save(p, np.array([[0.0, 1], [np.nan, 1], [1, 1], [2, 1]])),
        "row 1 is not finite",
    ),
    "infinite": (lambda p: np.save(p, np.array([[0.0], [1], [-np.inf], [2]])), "row 2 is not"),
    "too large": (lambda p: np.save(p, np.full((4, 2), 1e300) * [[1], [-1], [1], [1]]), "values"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_features_that_cannot_be_used_are_named(moderate, tmp_path, case):
    make, message = ARRAYS[case]
    np.save(tmp_path / "f.npy", np.zeros((4, 2)))
    np.save(tmp_path / "y.npy", np.zeros(4, int))
    make(tmp_path / "f.npy")
    done = moderate("score", "--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    assert (done.status, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"moderate: error: {tmp_path}/f.npy: {message}")


def test_labels_that_do_not_match_are_named(moderate, tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((4, 2)))
    np.save(tmp_path / "y.npy", np.zeros(3, int))
    done = moderate("score", "--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    assert done.stderr == (
        f"moderate: error: {tmp_path}/y.npy: 3 labels for 4 images; give one per row\n"
    )


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_byte_and_memory_order_gives_the_same_scores(moderate, tmp_path, dtype, order, rng):
    features = rng.integers(0, 9, (30, 4)).astype(dtype)
    np.save(tmp_path / "f.npy", np.array(features, order=order))
    np.save(tmp_path / "y.npy", (np.arange(30) % 3).astype(">i4"))
    np.save(tmp_path / "plain.npy", features.astype(np.float64))
    for center in ("mean", "median", "geometric-median"):
        outputs = [
            moderate("score", "--center", center, "--labels", tmp_path / "y.npy",
                     "--features", tmp_path / name).stdout
            for name in ("f.npy", "plain.npy")
        ]  # fmt: skip
        assert outputs[0] == outputs[1]
        assert len(outputs[0].splitlines()) == 30


@pytest.mark.parametrize(
    "text", ["\u0660.\u0663", "1_0/2_0", "1e-999999999", "0." + "3" * 5000, "nan"]
)
def test_a_ratio_is_written_in_plain_digits(data, moderate, text):
    done = moderate("select", "-r", text, data)
    shown = text if len(text) < 100 else f"{text[:100]}..."
    assert done == (
        2,
        "",
        f"moderate: error: --ratio: {shown!r} is not a number. Write 0.3, 30% or 3/10. (see"
        " 'moderate select --help')\n",
    )
    with pytest.raises(ArgumentError):
        exact(text)


@pytest.mark.parametrize("text", ["\u0661\u0660", "1_0", "9" * 5000, "5.0"])
def test_a_count_is_written_in_plain_digits(data, moderate, text):
    done = moderate("select", "--count", text, data)
    shown = text if len(text) < 100 else f"{text[:100]}..."
    assert done.status == 2
    assert done.stderr.startswith(
        f"moderate: error: --count: {shown!r} is not a whole number. (see"
    )


HUGE = "9" * 30
MACHING = "'maching' is unknown; did you mean matching? Choose one of adaptive, moderate,"


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("select", ["--seed", HUGE], f"--seed: {HUGE} is more than 4294967295. (see"),
        ("evaluate", ["--seed", HUGE], f"--seed: {HUGE} is more than 4294967295. (see"),
        ("evaluate", ["--seeds", HUGE], f"--seeds: {HUGE} is more than 1000. (see"),
        ("evaluate", ["--steps", HUGE], f"--steps: {HUGE} is more than 10000000. (see"),
        ("evaluate", ["--size", HUGE], f"--size: {HUGE} is more than 4096. (see"),
        ("evaluate", ["--within", "1e-999999999"], "--within: '1e-999999999' is not a number."),
        ("embed", ["--batch-size", HUGE],
         f"--batch-size: {HUGE} is more than 65536. (see"),
        ("embed", ["-j", HUGE], f"--workers: {HUGE} is more than 1024. (see"),
        ("embed", ["--part", "\u0661/\u0668"],
         "--part: '\u0661/\u0668' is not a valid part; use I/N, e.g. 3/8. (see"),
        ("embed", ["--gpus-per-worker", "nan"],
         "--gpus-per-worker: 'nan' is not a number. (see"),
        ("select", ["--dedup", "nan"], "--dedup: 'nan' is not a number. Write"),
        ("select", ["--labels", "kmeans:" + "9" * 5000], "--labels: 'kmeans:999"),
        ("select", ["--strategy", "maching"], f"--strategy: {MACHING}"),
        ("evaluate", ["--strategy", "maching"], f"--strategy: {MACHING}"),
        ("evaluate", ["--strategy", "moderate:x"], "--strategy: 'x' is not a finite number"),
        ("evaluate", ["--strategy", "moderate:2"], "--strategy: quantile 2 is not in [0, 1]"),
    ],
)  # fmt: skip
def test_options_that_are_out_of_bounds_are_wrong_usage(data, moderate, command, options, message):
    ratio = ["-r", "0.5"] if command == "select" else []
    done = moderate(command, data, *ratio, *options)
    assert (done.status, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"moderate: error: {message}")
    assert len(done.stderr) < 400


def test_a_minimum_per_class_beyond_all_numbers_keeps_all_that_it_can(embedded, moderate):
    args = ("select", "--count", "4", "--min-per-class", HUGE, "--dedup", "0.9", embedded)
    done = moderate(*args, "--drop-suspects", "0.3")
    assert (done.status, len(done.stdout.splitlines())) == (0, 4)
    assert done.stderr.splitlines()[0] == (
        "moderate: dropped no likely label errors; selecting from all 8 images"
    )


LISTED = "`moderate backbones` lists all"
ALSO = f"{LISTED}; timm:NAME takes models of timm; --features takes features of any other"


@pytest.mark.parametrize(
    ("name", "near", "elsewhere"),
    [
        ("resnet_50", "did you mean resnet50? ", ""),
        ("mobilenetv3", "did you mean mobilenet_v2 or mobilenet_v3_small or"
         " mobilenet_v3_large? ", ""),
        ("yolov8n-cls", "", ""),
        ("vit_base_patch16_224", "", "did you mean timm:vit_base_patch16_224? "),
        ("test_vit.r160_in1k", "", "did you mean timm:test_vit.r160_in1k? "),
        ("dinov2_vits14", "", "did you mean timm:vit_small_patch14_dinov2.lvd142m? "),
    ],
)  # fmt: skip
def test_an_unknown_network_is_told_its_nearest_names(data, moderate, name, near, elsewhere):
    for command, option, told in (
        ("embed", "--backbone", f"{elsewhere or near}{ALSO}"),
        ("evaluate", "--network", f"{near}{LISTED}"),
        ("perturb", "--network", f"{near}{LISTED}"),
    ):
        more = ["-o", "out"] if command == "perturb" else []
        done = moderate(command, data, *more, option, name)
        assert done == (
            2,
            "",
            f"moderate: error: {option}: '{name}' is unknown; {told} (see"
            f" 'moderate {command} --help')\n",
        )
    with pytest.raises(ArgumentError) as caught:
        moderate_cli.embed(moderate_cli.scan(data), backbone=name)
    assert str(caught.value) == f"backbone: '{name}' is unknown; {elsewhere or near}{ALSO}"


@pytest.mark.parametrize(
    "name", ["timm:", "timm:a b", "timm:../x", "open_clip:a/b/c", "open_clip:/"]
)
def test_a_name_that_no_library_can_have_is_refused_before_anything_is_loaded(data, moderate, name):
    library = name.partition(":")[0]
    form = {"timm": "timm:NAME", "open_clip": "open_clip:MODEL/PRETRAINED"}[library]
    assert moderate("embed", data, "--backbone", name) == (
        2,
        "",
        f"moderate: error: --backbone: '{name}' is not a name; use {form};"
        f" {LISTED} (see 'moderate embed --help')\n",
    )


def test_an_unknown_criterion_is_told_its_nearest_name_and_all(data, moderate):
    done = moderate("score", data, "--criterion", "el2")
    assert done.stderr == (
        "moderate: error: --criterion: 'el2' is unknown; did you mean el2n?"
        f" Choose one of {', '.join(CRITERIA)} (see 'moderate score --help')\n"
    )


def test_arrays_with_impossible_headers_are_refused_without_a_warning(moderate, tmp_path):
    np.save(tmp_path / "y.npy", np.zeros(4, int))
    for shape in ("(4294967296, 4294967296)", "(4, 4611686018427387904)", "(4, 1L)", "(4, 1is 1)"):
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
        header += b" " * (117 - len(header)) + b"\n"
        (tmp_path / "f.npy").write_bytes(
            b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(32)
        )
        # Warnings are errors here.
        done = moderate("score", "--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
        if shape != "(4, 1L)":  # which Python 2 wrote
            assert (done.status, done.stderr.count("\n")) == (1, 1)
            assert done.stderr.startswith(
                f"moderate: error: {tmp_path}/f.npy: is not a .npy array ("
            )
        else:
            assert done.status == 0, done.stderr


@pytest.mark.parametrize("value", [0.0, 0.2, 1e-30, 1e-300])
@pytest.mark.parametrize("d", [4, 64])
def test_features_that_all_coincide_end_in_no_warning(moderate, tmp_path, value, d):
    np.save(tmp_path / "f.npy", np.full((40, d), value))
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    arrays = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    done = moderate("select", "-r", "0.5", "--strategy", "adaptive", *arrays)
    assert (done.status, len(done.stdout.splitlines())) == (0, 20)


def test_a_training_set_that_does_not_fit_names_the_option(data, monkeypatch):
    def no_room(*_args, **_options):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] can't allocate memory")

    monkeypatch.setattr(training.torch, "zeros", no_room)
    dataset = moderate_cli.scan(data)
    with pytest.raises(DeviceError) as caught:
        training.read_pictures(dataset, dataset.labels, dataset.labels >= 0, Recipe(size=4096))
    assert str(caught.value) == ("out of memory; 8 pictures take 0.4 GB, and a smaller --size less")


def test_more_images_at_once_than_a_block_holds_have_no_effect(data, monkeypatch):
    asked = []

    def load(*_args, batch_size, **_options):
        asked.append(batch_size)
        return networks_load(*_args, batch_size=batch_size, **_options)

    networks_load = local.load_network
    monkeypatch.setattr(local, "load_network", load)
    dataset = moderate_cli.scan(data)
    moderate_cli.embed(dataset, backbone="pixels", runtime="torch", batch_size=65536)
    assert asked == [1024]
