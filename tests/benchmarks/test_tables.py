"""The tables of strategies: their data, their cells, their figures."""

import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import paint

from moderate_cli.evaluation import FULL, Cell, Result
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.exporting import write_table
from tests.benchmarks.tables import patches
from tests.benchmarks.tables.command import main
from tests.benchmarks.tables.data import Data
from tests.benchmarks.tables.figures import HEADER, beside, figures_of
from tests.benchmarks.tables.judges import RECIPES
from tests.benchmarks.tables.measuring import RATIOS, SOUND, Records, Task, run, run_for, tasks_of
from tests.benchmarks.tables.pages import in_short, lines_of, shown
from tests.benchmarks.tables.problem import Problem
from tests.benchmarks.tables.scenarios import SCENARIOS, Scenario, draw
from tests.benchmarks.tables.ways import ORACLE, RANDOM, RANDOM_IN_CLASS, WAYS

JUDGED = ("head", "patches")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Four classes of gray levels, 20 training and 5 test images each."""
    monkeypatch.setattr(patches, "DRAWN", 500)
    for part, images in (("train", 20), ("test", 5)):
        for label, name in enumerate("abcd"):
            for image in range(images):
                paint(tmp_path / "data" / part / name / f"{image:02}.png", 50 * label + 2 * image)
    (tmp_path / "work" / "clothing").mkdir(parents=True)
    return Data("clothing", tmp_path / "data", tmp_path / "work" / "clothing", "pixels")


@pytest.fixture
def ways(tmp_path):
    return tmp_path / "work" / "ways"


def drawn(scenario, share="1/2", seed=0, ruined=None):
    truth = np.repeat([0, 1, 2, 3, 4], 100)
    ruined = np.zeros(500, dtype=np.bool_) if ruined is None else ruined
    found = draw(truth, ruined, scenario, Fraction(share), seed)
    return found, truth[found.rows]


def test_a_clean_pool_has_its_share_of_each_class():
    found, truth = drawn(SCENARIOS["clean"], "2/5")
    assert np.bincount(truth).tolist() == [40] * 5
    assert (np.diff(found.rows) > 0).all()
    assert np.array_equal(found.labels, truth)
    assert not found.spoiled.any()


def test_each_seed_draws_other_images_and_other_wrong_labels():
    one, truth = drawn(SCENARIOS["symmetric-20"], "1", seed=1)
    other, _ = drawn(SCENARIOS["symmetric-20"], "1", seed=2)
    assert not np.array_equal(one.labels, other.labels)
    assert not np.array_equal(drawn(SCENARIOS["clean"], seed=1)[0].rows,
                              drawn(SCENARIOS["clean"], seed=2)[0].rows)  # fmt: skip
    assert np.array_equal(one.labels, drawn(SCENARIOS["symmetric-20"], "1", seed=1)[0].labels)
    assert np.array_equal(one.spoiled, one.labels != truth)


@pytest.mark.parametrize(("scenario", "wrong"), [("symmetric-20", 50), ("symmetric-40", 100)])
def test_symmetric_noise_is_exact_and_of_all_other_classes(scenario, wrong):
    found, truth = drawn(SCENARIOS[scenario])
    assert np.count_nonzero(found.spoiled) == wrong
    assert set((found.labels - truth)[found.spoiled] % 5) == {1, 2, 3, 4}


def test_pair_noise_is_the_next_class():
    found, truth = drawn(SCENARIOS["pair-20"])
    assert np.count_nonzero(found.spoiled) == 50
    assert set((found.labels - truth)[found.spoiled] % 5) == {1}


def test_a_long_tail_falls_exponentially_to_a_tenth():
    sizes = [np.bincount(drawn(SCENARIOS["long-tailed"], "1", seed)[1]) for seed in (0, 1)]
    assert [sorted(one.tolist()) for one in sizes] == [[10, 18, 32, 56, 100]] * 2
    assert sizes[0].tolist() != sizes[1].tolist()  # other classes are small


def test_ruined_pictures_are_spoiled():
    ruined = np.arange(500) % 5 == 0
    found, _ = drawn(Scenario("ruined", ruined=True), ruined=ruined)
    assert np.array_equal(found.spoiled, found.rows % 5 == 0)


def test_the_encoding_is_that_of_whitened_patches(monkeypatch):
    monkeypatch.setattr(patches, "DRAWN", 2000)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=generator)
    found = patches.Encoder(pictures)(pictures)
    assert found.shape == (20, 1024)
    rng = np.random.default_rng(0)
    drawn = patches._normalized(patches._drawn(pictures, rng)).numpy().astype(np.float64)
    mean = drawn.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(drawn.T, bias=True))
    whitening = axes @ np.diag(1 / np.sqrt(values.clip(min=0) + 0.1)) @ axes.T
    filters = (drawn[rng.permutation(2000)[:128]] - mean) @ whitening
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    picture = pictures[3].numpy().astype(np.float64)
    quarters = np.zeros((256, 2, 2))  # of 3 x 3 places; the middle is in all four quarters
    for y in range(3):
        for x in range(3):
            patch = picture[:, y : y + 6, x : x + 6].reshape(-1)
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
            response = filters @ whitening @ (patch - mean)
            both = np.concatenate([response - 0.5, -response - 0.5]).clip(min=0)
            for row in {0, 1} - {1 if y == 0 else 0 if y == 2 else None}:
                for column in {0, 1} - {1 if x == 0 else 0 if x == 2 else None}:
                    quarters[:, row, column] += both / 4
    assert np.allclose(found[3], quarters.reshape(-1), atol=0.01)


def test_a_finished_cell_is_never_run_again(data, ways, monkeypatch):
    task = Task(data, "symmetric-20", 0, JUDGED)
    assert run(task, ways) == 2 * (1 + len(RATIOS) * len(WAYS))
    monkeypatch.setattr(Problem, "judge", None)
    assert run(task, ways) == 0


def test_a_way_whose_folder_is_removed_is_measured_anew(data, ways):
    task = Task(data, "symmetric-20", 0, ("head",))
    run(task, ways)
    shutil.rmtree(Records(ways).of("matching"))
    assert run(task, ways) == len(RATIOS)


def test_a_later_judge_needs_no_features(data, ways, monkeypatch):
    run(Task(data, "symmetric-20", 0, ("head",)), ways)
    monkeypatch.setattr(Data, "features", None)
    assert run(Task(data, "symmetric-20", 0, ("patches",)), ways) == 1 + len(RATIOS) * len(WAYS)


def test_networks_judge_chosen_cells_with_the_same_selections(data, ways, monkeypatch):
    monkeypatch.setitem(RECIPES, "cnn", Recipe("cnn", 3, 32, device="cpu"))
    few = replace(data, name="cifar100")
    task = Task(few, "clean", 0, ("head", "cnn"))
    assert run(task, ways) == 1 + len(RATIOS) * len(WAYS) + 1 + 2 * len(WAYS)
    images = [
        Records(ways)
        .ledger("matching", "cifar100", "clean", judge)
        .results[Cell("matching", "0.2", "", 0)]
        .images
        for judge in ("head", "cnn")
    ]
    assert images == [6, 6]  # a fifth of two fifths of 80


def test_no_cell_begins_after_the_time_is_over(data, ways):
    run_for([Task(data, "clean", 0, ("head",))], ways, minutes=0)
    assert not ways.exists()


def test_all_ways_keep_as_many_and_the_oracle_keeps_no_wrong_label(data, ways):
    run(Task(data, "symmetric-20", 0, ("head",)), ways)

    def results(way, judge):
        return Records(ways).ledger(way, "clothing", "symmetric-20", judge).results

    for way in WAYS:
        found = [results(way, "head")[Cell(way, ratio, "", 0)].images for ratio in RATIOS]
        assert found[:-1] == [3, 6, 13, 19, 32]  # of 64
        assert found[-1] == 45 or way == "random without suspects"
    assert {one.accuracy for one in results(ORACLE, SOUND).values()} == {1.0}
    assert results(FULL, SOUND)[Cell(FULL, "1", "", 0)].accuracy == 51 / 64


def test_ruined_pictures_are_those_of_the_copy(data, ways):
    assert np.count_nonzero(data.ruined()) == 16  # a fifth of 80
    assert data.encoded("ruined").shape == (80, 1024)
    assert run(Task(data, "ruined-20", 0, ("head",)), ways) > 0


def test_a_seed_of_all_datasets_comes_before_the_next_seed(data):
    other = Data("cifar100", data.folder, data.work, "pixels")
    tasks = list(tasks_of([data, other], ("head", "cnn"), 2))
    assert [task.seed for task in tasks] == [0] * 12 + [1] * 12
    chosen = [(task.data.name, task.scenario) for task in tasks[:12] if "cnn" in task.judges]
    assert chosen == [("cifar100", "clean"), ("cifar100", "symmetric-20")]


@pytest.fixture
def figures(ways, tmp_path):
    """Three seeds of three ways; the third seed of the last is not finished."""
    accuracies = {
        (FULL, "1"): [0.9, 0.9, 0.9],
        (RANDOM, "0.1"): [0.5, 0.6, 0.7],
        (RANDOM_IN_CLASS, "0.1"): [0.7, 0.8, 0.9],
        ("matching", "0.1"): [0.4, 0.7],
    }
    for (way, ratio), values in accuracies.items():
        Records(ways).of(way).mkdir(parents=True)
        for judge in ("head", SOUND):
            ledger = Records(ways).ledger(way, "fashion", "pair-20", judge)
            for seed, value in enumerate(values):
                ledger.add(Cell(way, ratio, "", seed), Result(12, value, 0.25))
    table = figures_of("fashion", ways, seeds=3)
    write_table(tmp_path / "fashion.csv", table)
    return table


def test_figures_are_means_over_the_seeds_that_are_finished(figures):
    rows = [dict(zip(HEADER, row, strict=True)) for row in figures.rows]
    assert [row["way"] for row in rows] == [FULL, RANDOM, RANDOM_IN_CLASS, "matching"]
    own = rows[2]
    assert (own["judge"], own["scenario"], own["ratio"]) == ("head", "pair-20", "0.1")
    assert (own["seeds"], own["images"], own["accuracy"]) == (3, 12, 0.8)
    assert (own["to_random"], own["to_random_half"]) == (0.2, 0.0)
    assert (own["to_random_in_class"], own["worst_class"]) == (0.0, 0.25)
    assert own["spoiled"] == pytest.approx(0.2)
    assert (rows[3]["seeds"], rows[3]["to_random"]) == (2, 0.0)
    assert rows[0]["to_random"] is None


def test_tables_have_differences_in_bold_beyond_the_interval(figures, tmp_path):
    assert shown("fashion", "head", tmp_path).splitlines() == [
        "| 20 % of the next class, kept | 0.1 |",
        "| --- | ---: |",
        "| random, of 90.0 with all | 60.0 |",
        "| random in each class | **+20.0** |",
        "| matching | +0.0 |",
    ]
    assert shown("fashion", "patches", tmp_path) == "Not measured yet."


def test_the_summary_has_mean_lowest_and_how_often_it_is_ahead(figures, tmp_path):
    assert in_short("head", tmp_path) == {
        "random in each class": ("+20.0", "+20.0", "1 / 0"),
        "matching": ("+0.0", "+0.0", ""),
    }


def test_judges_that_are_not_measured_again_keep_their_figures(figures, tmp_path):
    other = figures._replace(rows=[("patches", *row[1:]) for row in figures.rows])
    assert beside(figures, lines_of("fashion", tmp_path)).texts() == figures.texts()
    both = beside(other, lines_of("fashion", tmp_path)).texts()
    assert both == figures.texts() + other.texts()


def test_the_command_remembers_where_data_are(data, tmp_path):
    options = ["--work", str(tmp_path / "work"), "--backbone", "pixels", "--finished"]
    refused = CliRunner().invoke(main, options)
    assert refused.exit_code == 2
    assert "name a dataset: --cifar100, --fashion or --clothing" in refused.output
    run(Task(data, "clean", 0, ("head",)), tmp_path / "work" / "ways")
    first = CliRunner().invoke(main, ["--clothing", str(data.folder), *options])
    again = CliRunner().invoke(main, options)
    assert first.exit_code == again.exit_code == 0
    assert first.output == again.output
    assert "\nrandom in each class" in again.output
    assert (tmp_path / "work" / "clothing.csv").exists()
