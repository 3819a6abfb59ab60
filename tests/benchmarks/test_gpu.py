"""The benchmark of a GPU machine: its rows, its photos, and what it does without."""

import json
import os
import time

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import moderate_cli
from moderate_cli import gpu
from moderate_cli.images.jpeg_frames import Frame, ordinary_frame
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import FeatureSpec
from tests.benchmarks.gpu import command, scoring, weights
from tests.benchmarks.gpu.command import main
from tests.benchmarks.gpu.photos import CLASSES, make_photos, make_small
from tests.benchmarks.gpu.rows import HEADER, Bench, Row


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, "cpu", 40, 60.0, None)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_row_tells_whether_its_aim_is_met():
    assert Row("a", 10_400.0, before=525, aim=10_000).line() == (
        "| a | 10,400 | images/s | 525 | 10,000 | yes |"
    )
    assert Row("b", 2.0, "s", aim=1.5, most=True).line() == "| b | 2 | s |  | 1.5 | NO |"
    assert Row("c", None, why="failed").line() == "| c | failed | images/s |  |  |  |"


def test_a_figure_is_written_as_soon_as_it_is_known(bench, tmp_path, capsys):
    with (tmp_path / "lines").open("w") as file:
        bench = Bench(tmp_path, "cpu", 40, 60.0, file)
        bench.add("one", np.float32(3), aim=2)
        assert json.loads((tmp_path / "lines").read_text())["met"] is True
    assert lines(capsys)[0]["value"] == 3.0


def test_a_step_that_fails_or_takes_too_long_costs_only_its_own_rows(bench, capsys):
    def fails(_):
        raise ValueError("no such thing")

    def sleeps(bench):
        bench.add("before", 1.0)
        time.sleep(30)

    def works(bench):
        bench.add("after", 2.0)

    begun = time.monotonic()
    for work in (fails, sleeps, works):
        bench.step(work, 0.2)
    assert time.monotonic() - begun < 5
    facts = {line["step"]: line["fact"] for line in lines(capsys) if "step" in line}
    assert facts == {
        "fails": "failed: ValueError: no such thing", "sleeps": "ended: after 0 s", "works": "done",
    }  # fmt: skip
    names = [line.split(" | ")[0] for line in bench.table().splitlines()]
    assert names[2:] == ["| fails", "| before", "| sleeps", "| after"]


def test_photos_are_ordinary_and_their_names_share_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.benchmarks.gpu.photos.DISTINCT", 2 * CLASSES)
    for sampling in ("4:2:0", "4:4:4"):
        make_photos(tmp_path / sampling, 3 * CLASSES, sampling)
        dataset = moderate_cli.scan(tmp_path / sampling)
        assert (len(dataset), len(dataset.classes)) == (3 * CLASSES, CLASSES)
        files = {(tmp_path / sampling / path).stat().st_ino for path in dataset.paths}
        assert len(files) == 2 * CLASSES
        content = (tmp_path / sampling / dataset.paths[0]).read_bytes()
        assert ordinary_frame(content) == Frame(380, 450, 3)
        assert 40_000 < len(content) < 120_000
    make_small(tmp_path / "small", CLASSES)
    assert len(moderate_cli.scan(tmp_path / "small")) == CLASSES


def test_backbones_without_their_weights_get_random_ones_that_keep_signals(tmp_path, monkeypatch):
    assert weights.weights_of(tmp_path, "efficientnet_lite0") is None
    monkeypatch.setattr(weights, "PACKAGE", "is_not_installed")
    for backbone in ("efficientnet_lite0", "resnet18"):
        path = weights.weights_of(tmp_path, backbone)
        network = load_network(FeatureSpec(backbone, "x"), path, device="cpu", runtime="torch")
        features = network.forward(torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8))
        assert torch.isfinite(features).all()
        assert 0.05 < features.std() < 20


def test_scores_are_measured_on_the_gpu_and_by_processors(bench, monkeypatch, capsys):
    monkeypatch.setattr(scoring, "DIMENSIONS", 16)
    monkeypatch.setattr(scoring, "CLASSES", 4)
    before = gpu.WORTH_LOADED, os.sched_getaffinity(0)
    bench.images = 400
    for work in (scoring.many_on_gpu, scoring.scores_on_gpu, scoring.scores_by_threads):
        bench.step(work, 60.0)
    assert (gpu.WORTH_LOADED, os.sched_getaffinity(0)) == before
    assert {line["fact"] for line in lines(capsys) if "step" in line} == {"done"}
    names = [row.name for row in bench.rows]
    assert names[0] == "suspects, 4,000 x 16, 1,000 classes, on the processors"
    assert "neighbors, 400 x 16, on the GPU" in names
    assert "matching, 200 x 16, 1 processors" in names
    apart = [row for row in bench.rows if row.name.endswith("largest difference")]
    assert len(apart) == 5
    assert all(row.met for row in apart)


def test_it_runs_without_a_gpu_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(command.nvjpeg, "find_decoder", None)  # restored afterwards
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    options = ["--images", "20", "--only", "pixels_apart", "--json", str(tmp_path / "lines")]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0
    first, *others = (json.loads(line) for line in (tmp_path / "lines").read_text().splitlines())
    assert first["gpu"] == "none"
    values = {line["name"]: line["value"] for line in others if "name" in line}
    assert values["pixels, 4:2:0: values that differ"] == 0  # of a stand-in
    assert values["resizing on the GPU: values that differ"] == 0
    assert HEADER in done.output
