import errno
import json
import os
import re
from datetime import UTC, datetime

import click
import numpy as np
import pytest
from conftest import paint
from listeners import Told
from shown import without_closing
from torch.utils.data import Subset
from torchvision.datasets import ImageFolder

import moderate_cli
from moderate_cli.cli import COMMANDS, cli
from moderate_cli.embedding.engines import local
from moderate_cli.evaluation import training
from moderate_cli.inputs import datasets
from moderate_cli.networks import arithmetic
from moderate_cli.scoring import of_features
from moderate_cli.selection import STRATEGIES

KEPT = "moderate: Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate"
# By hand: distances are in proportion to the difference from the class mean in gray level,
# cat 112.2 61.2 10.2 40.8 142.8, dog 127.5 127.5, owl 0; sorted: owl/0, cat/2, cat/3, cat/1,
# cat/0, dog/0, dog/1, cat/4.


def test_select_prints_the_paths_around_the_median(embedded, moderate):
    args = ("--scope", "global", "--min-per-class", "0")
    done = moderate("select", "--ratio", "0.5", *args, embedded)
    assert done._replace(stderr=without_closing(done.stderr)) == (
        0,
        "cat/0.png\ncat/1.png\ncat/3.png\ndog/0.png\n",
        "moderate: warning: the selection contains no image of 1 class (owl);"
        " --scope class gives each class its share\n",
    )


def test_select_keeps_an_image_of_each_class_and_says_so(embedded, moderate):
    done = moderate("select", "--ratio", "0.5", "--scope", "global", embedded)
    assert done._replace(stderr=without_closing(done.stderr)) == (
        0,
        "cat/0.png\ncat/1.png\ndog/0.png\nowl/0.png\n",
        "moderate: warning: the selection would contain no image of 1 class (owl), so one was"
        " added; --scope class gives each class its share\n",
    )


def test_select_on_a_bare_folder_does_the_whole_job(data, moderate):
    done = moderate("select", "--count", "8", data)
    assert (done.status, len(done.stdout.splitlines())) == (0, 8)
    assert without_closing(done.stderr) == ""
    assert sorted(os.listdir(data.parent)) == ["train", "train.moderate"]


def test_scope_quantile_and_invert(embedded, moderate):
    nearest = moderate("select", "--count", "3", "--scope", "class", "--quantile", "0", embedded)
    assert nearest.stdout == "cat/2.png\ndog/0.png\nowl/0.png\n"
    rest = moderate(
        "select", "--count", "3", "--scope", "class", "--quantile", "0", "--invert", embedded
    )
    assert rest.stdout == "cat/0.png\ncat/1.png\ncat/3.png\ncat/4.png\ndog/1.png\n"


def test_counts_are_a_table_in_place_of_paths(embedded, moderate):
    done = moderate("select", "--ratio", "0.5,1", "--counts", "--scope", "class", embedded)
    assert done.stdout == (
        "class  images  kept 0.5  kept 1\n"
        "cat         5         2       5\n"
        "dog         2         1       2\n"
        "owl         1         1       1\n"
        "total       8         4       8\n"
    )


def test_verbose_prints_counts_per_class_on_stderr(embedded, moderate):
    done = moderate("select", "--ratio", "0.5", "-v", "--scope", "class", embedded)
    assert done._replace(stderr=without_closing(done.stderr)) == (
        0,
        "cat/1.png\ncat/3.png\ndog/0.png\nowl/0.png\n",
        "class  images  kept\n"
        "cat         5     2\n"
        "dog         2     1\n"
        "owl         1     1\n"
        "total       8     4\n",
    )


def test_several_ratios_make_several_files(embedded, moderate, tmp_path):
    done = moderate("select", "-r", "0.5,1", embedded, "-o", tmp_path / "kept-{ratio}.txt")
    assert done.status == 0
    assert sorted(os.listdir(tmp_path)) == ["data", "kept-0.5.txt", "kept-1.txt"]
    assert len((tmp_path / "kept-1.txt").read_text().splitlines()) == 8


def test_ratios_may_be_fractions_in_names_of_files_too(embedded, moderate, tmp_path):
    ratios = ("-r", "1/4,2/4,3e-1")
    done = moderate("select", *ratios, embedded, "-o", tmp_path / "kept-{ratio}.txt")
    assert (done.status, done.stdout) == (0, "")
    found = {path.name: len(path.read_text().split()) for path in tmp_path.glob("kept*")}
    assert found == {"kept-1-4.txt": 2, "kept-2-4.txt": 4, "kept-3e-1.txt": 2}
    done = moderate("select", "-r", "1/2", embedded, "--copy-to", tmp_path / "out-{ratio}")
    kept = (
        "moderate: Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate"
    )
    assert done.stderr.splitlines()[0] == f"{kept} -> {tmp_path}/out-1-2"
    table = moderate("select", *ratios, embedded, "--counts").stdout
    assert table.splitlines()[0].split("  ")[2:] == ["kept 1/4", "kept 2/4", "kept 3e-1"]


@pytest.mark.parametrize("command", ["select", "evaluate", "report"])
def test_a_ratio_is_named_once(command, data, moderate, tmp_path):
    for ratios, message in {
        "0.3,0.30": "0.30 repeats 0.3",
        "1/3,0.5,2/6": "2/6 repeats 1/3",
        "1,1": "1 repeats 1",
    }.items():
        done = moderate(command, "-r", ratios, data, "-o", tmp_path / "k-{ratio}.html")
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr == (
            f"moderate: error: --ratio: {message}; name each ratio once."
            f" (see 'moderate {command} --help')\n"
        )


def test_an_index_of_rows_is_a_subset_of_image_folder(embedded, moderate, tmp_path):
    assert moderate("select", "-r", "0.5", embedded, "-o", tmp_path / "kept.npy").status == 0
    subset = Subset(ImageFolder(embedded), np.load(tmp_path / "kept.npy"))
    assert [label for _, label in subset] == [0, 0, 1, 2]


def test_copy_to_makes_a_pruned_folder(embedded, moderate, tmp_path):
    done = moderate("select", "-r", "0.5", embedded, "--copy-to", tmp_path / "out")
    assert done.stdout == ""
    kept = (
        "moderate: Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate"
    )
    assert done.stderr.splitlines()[0] == f"{kept} -> {tmp_path}/out"
    assert len(ImageFolder(tmp_path / "out")) == 4
    again = moderate("select", "-r", "1", embedded, "--copy-to", tmp_path / "out")
    assert again == (1, "", f"moderate: error: {tmp_path}/out: exists; --force replaces it\n")
    forced = moderate("select", "-r", "1", embedded, "--copy-to", tmp_path / "out", "--force")
    assert forced.status == 0
    assert len(ImageFolder(tmp_path / "out")) == 8


def test_score_prints_distance_tab_path_in_row_order(embedded, moderate):
    done = moderate("score", embedded)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [path for _, path in lines][:2] == ["cat/0.png", "cat/1.png"]
    assert [float(value) for value, _ in lines] == pytest.approx(
        [6.0969, 3.3256, 0.5543, 2.2171, 7.7596, 6.9282, 6.9282, 0], abs=1e-4
    )


def test_any_criterion_feeds_any_strategy(embedded, moderate):
    for criterion in of_features():
        assert len(moderate("score", "--criterion", criterion, embedded).stdout.splitlines()) == 8
        for strategy in STRATEGIES.keys() - {"adaptive"}:  # which has a criterion of its own
            args = ("--criterion", criterion, "--strategy", strategy)
            done = moderate("select", "-r", "0.5", *args, embedded)
            assert (done.status, len(done.stdout.splitlines())) == (0, 4)


def test_a_preset_gives_way_to_a_strategy_that_it_does_not_fit(embedded, moderate):
    for preset in ("paper", "noisy-labels"):
        args = ("--config", preset, "--strategy", "matching")
        assert moderate("select", "-r", "0.5", *args, embedded).status == 0


def test_scores_of_any_criterion_can_be_selected_from(embedded, moderate, tmp_path):
    assert moderate("score", embedded, "-o", tmp_path / "s.npy").status == 0
    done = moderate("select", "--count", "3", "--scores", tmp_path / "s.npy")
    assert done._replace(stderr=without_closing(done.stderr)) == (0, "0\n1\n3\n", "")
    np.save(tmp_path / "y.npy", [0, 0, 0, 0, 0, 1, 1, 2])
    labeled = ("--scores", tmp_path / "s.npy", "--labels", tmp_path / "y.npy")
    assert moderate("select", "--count", "3", *labeled, "--scope", "class").stdout == "1\n5\n7\n"


def test_own_features_can_be_scored_and_selected_from(moderate, tmp_path):
    np.save(tmp_path / "f.npy", np.array([[0.0], [4.0], [7.0], [7.0]]))
    np.save(tmp_path / "y.npy", np.array([5, 5, 9, 9]))
    arrays = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    assert moderate("score", *arrays) == (0, "2\t0\n2\t1\n0\t2\n0\t3\n", "")
    assert moderate("select", "--count", "2", *arrays).stdout == "0\n2\n"


def test_a_row_that_spoils_its_class_is_named(moderate, tmp_path):
    np.save(tmp_path / "f.npy", np.array([[0.0, 1], [4.0, 1], [np.nan, 1], [7.0, 1]]))
    np.save(tmp_path / "y.npy", np.zeros(4, dtype=int))
    done = moderate("score", "--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    assert done == (
        1,
        "",
        f"moderate: error: {tmp_path}/f.npy: row 2 is not finite; leave such rows out\n",
    )


def test_bad_images_are_named_and_the_rest_is_kept(data, moderate):
    (data / "cat" / "1.png").write_bytes(b"")
    (data / "dog" / "x\n.jpg").write_bytes(b"<html>")
    failed = moderate("embed", data)
    assert failed == (
        1,
        "",
        f"moderate: error: {data}/cat/1.png: is empty\n"
        f"moderate: error: {data}/dog/x\\n.jpg: is not an image in a known format\n"
        "moderate: error: 2 unreadable images; --on-error skip leaves them out\n",
    )
    done = moderate("select", "-r", "1", "--on-error", "skip", data)
    assert done.status == 0
    assert without_closing(done.stderr) == "moderate: warning: skipped 2 unreadable of 9 images\n"
    assert len(done.stdout.splitlines()) == 7
    assert "cat/1.png" not in done.stdout


def test_a_dataset_of_bad_images_is_an_error_even_if_skipped(tmp_path, moderate):
    (tmp_path / "data" / "cat").mkdir(parents=True)
    (tmp_path / "data" / "dog").mkdir()
    (tmp_path / "data" / "cat" / "1.jpg").write_bytes(b"")
    assert moderate("select", "-r", "1", "--on-error", "skip", tmp_path / "data") == (
        1,
        "",
        f"moderate: warning: {tmp_path}/data: 1 class has no images: dog\n"
        f"moderate: warning: {tmp_path}/data: all images are in one class, cat; use --labels"
        " kmeans:K to cluster them\n"
        f"moderate: error: {tmp_path}/data: none of its 1 images can be read;"
        " --on-error fail says why\n",
    )


def test_fewer_images_than_classes_give_a_warning(embedded, moderate):
    done = moderate("select", "--count", "1", "--scope", "class", embedded)
    assert (done.status, len(done.stdout.splitlines())) == (0, 1)
    assert without_closing(done.stderr) == (
        "moderate: warning: the selection contains no image of 2 classes (dog, owl);"
        " keep more images\n"
    )


def test_an_existing_folder_is_refused_before_anything_is_computed(data, moderate, tmp_path):
    (tmp_path / "out-1" / "x").mkdir(parents=True)
    done = moderate("select", "-r", "0.5,1", data, "--copy-to", tmp_path / "out-{ratio}")
    assert done == (
        1, "", f"moderate: error: {tmp_path}/out-1: exists; choose another folder\n"
    )  # fmt: skip
    assert os.listdir(data.parent) == ["train"]


def test_names_with_newlines_need_nul(data, moderate):
    paint(data / "cat" / "a\nb.png", 9)
    failed = moderate("select", "-r", "1", data)
    assert failed == (
        1,
        "",
        "moderate: error: cat/a\\nb.png: contains a newline; use -0 to end names with NUL\n",
    )
    done = moderate("select", "-r", "1", "-0", data)
    assert len(done.stdout.split("\0")) == 10
    assert "cat/a\nb.png\0" in done.stdout


def test_a_folder_of_splits_is_refused(embedded, moderate):
    paint(embedded.parent / "val" / "cat" / "1.png", 3)
    assert moderate("select", "-r", "1", embedded.parent) == (
        1,
        "",
        f"moderate: error: {embedded.parent}: contains splits (train, val), not classes; pass one"
        f" of them, e.g. {embedded.parent}/train\n",
    )


def test_no_store_is_put_among_class_folders(embedded, moderate, tmp_path):
    for command in (["select", "-r", "1"], ["embed"]):
        assert moderate(*command, embedded / "cat") == (
            1,
            "",
            f"moderate: error: {embedded}/cat: looks like one class of {embedded}; pass that, or"
            " --store DIR to treat this folder as a dataset\n",
        )
    assert sorted(os.listdir(embedded)) == ["cat", "dog", "owl"]
    assert moderate("embed", embedded / "cat", "--store", tmp_path / "cat").status == 0


def test_an_empty_name_is_refused(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded.parent)
    for args in (["--copy-to", ""], ["-o", ""], ["--store", ""]):
        done = moderate("select", "-r", "0.5", embedded, *args)
        assert (done.status, done.stdout) == (2, "")
        assert "is empty" in done.stderr
    assert moderate("perturb", embedded, "-o", "", "--label-noise", "0.2").status == 2
    assert moderate("demo", "").status == 2
    assert sorted(os.listdir()) == ["train", "train.moderate"]


def test_inputs_are_not_overwritten(moderate, tmp_path):
    for name, array in {"f": np.eye(3), "y": np.zeros(3, dtype=int), "s": np.arange(3.0)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    features = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    scores = ("--scores", tmp_path / "s.npy")
    for args, name in ((features, "f"), (features, "y"), (scores, "s")):
        before = (tmp_path / f"{name}.npy").read_bytes()
        done = moderate("select", "-r", "0.5", *args, "-o", tmp_path / f"{name}.npy")
        assert (done.status, "is also an input; choose another file" in done.stderr) == (2, True)
        assert (tmp_path / f"{name}.npy").read_bytes() == before


def test_a_minimum_per_class_beyond_the_kept_images_gives_a_warning(embedded, moderate):
    done = moderate("select", "--count", "4", "--min-per-class", "3", embedded)
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr.splitlines()[0] == (
        "moderate: warning: --min-per-class 3 needs 6 images, and only 4 are kept, so some classes"
        " have fewer"
    )


def test_an_output_without_a_folder_is_refused_before_anything_is_computed(data, moderate):
    for command in (["select", "-r", "0.5"], ["score"], ["report"], ["suspects"], ["evaluate"]):
        suffix = "html" if command == ["report"] else "csv"
        assert moderate(*command, data, "-o", f"nowhere/a.{suffix}") == (
            1,
            "",
            f"moderate: error: nowhere/a.{suffix}: there is no folder nowhere; create it first\n",
        )
    assert os.listdir(data.parent) == ["train"]


def test_info_shows_the_facts_of_a_set(embedded, moderate):
    folder = embedded.parent / "train.moderate" / "pixels-float32-float32"
    for path in (embedded, folder.parent, folder):
        done = moderate("info", path, "--json")
        found = json.loads(done.stdout)
        (facts,) = found.pop("feature_sets")
        assert found == {
            "name": str(path),
            "dataset": {
                "path": str(embedded),
                "images": 8,
                "classes": {"cat": 5, "dog": 2, "owl": 1},
                "notices": [],
                "oddities": [],
            },
            "problem": "",
            "fitted": None,
        }
        assert facts.pop("size") > 6000
        written = datetime.fromisoformat(facts.pop("written"))
        assert abs((datetime.now(UTC) - written).total_seconds()) < 600
        assert facts == {
            "feature_set": str(folder),
            "dataset": str(embedded),
            "backbone": "pixels",
            "weights": "none",
            "weights_sha256": "",
            "runtime": "torch",
            "precision": "float32",
            "dtype": "float32",
            "preprocessing": {
                "resize": 8,
                "crop": 8,
                "interpolation": "bilinear",
                "mean": [0.0, 0.0, 0.0],
                "std": [255.0, 255.0, 255.0],
                "decode": "full",
            },
            "rows": 8,
            "dim": 192,
            "classes": ["cat", "dog", "owl"],
            "unreadable": {},
            "oriented": 0,
            "complete": True,
            "done": 8,
            "up_to_date": True,
            "missing": 0,
            "touched": 0,
            "moved": 0,
            "removed": 0,
            "of_another": False,
            "results": [],
            "evaluations": 0,
        }
    text = moderate("info", folder).stdout
    assert "backbone        pixels\n" in text
    assert "complete        yes\n" in text


def test_info_says_what_is_missing_and_stale(embedded, moderate):
    moderate("suspects", embedded)
    moderate("score", embedded)
    paint(embedded / "dog" / "9.png", 3)
    paint(embedded / "cat" / "4.png", 7)
    (embedded / "owl" / "0.png").unlink()
    (embedded / "owl" / "notes.docx").write_bytes(b"")
    before = sorted(embedded.parent.rglob("*"))
    done = moderate("info", embedded)
    assert done.stderr == (
        "moderate: hint: the next command on DATA embeds what is missing, and nothing else\n"
    )
    *lines, header, own, _, results = done.stdout.splitlines()
    assert lines == [
        f"dataset  {embedded}",
        "images   8 in 3 classes",
        "classes  cat 5, dog 3, owl 0",
        "note 1   ignored 1 .docx",
        "",
    ]
    assert header.split() == ["feature", "set", "images", "dim", "size", "written", "state"]
    assert own.split()[:3] == ["pixels-float32-float32", "8", "192"]
    assert own.endswith("1 missing, 1 changed or touched, 1 removed")
    assert results == "results of pixels-float32-float32  scores-mean-euclidean, suspects"
    assert sorted(embedded.parent.rglob("*")) == before
    found = moderate_cli.info(embedded)
    assert found.sets[0].difference == (1, 1, 0, 1)
    assert repr(found) == f"Info: {embedded}: 8 images, 1 feature set"
    moderate("embed", embedded)
    assert moderate("info", embedded).stdout.splitlines()[6].endswith("up to date")


def test_info_of_a_list_reads_its_options(data, moderate, tmp_path):
    rows = [
        f"{path.relative_to(data)},{path.parent.name}\n" for path in sorted(data.rglob("*.png"))
    ]
    table = tmp_path / "train.csv"
    table.write_text("".join(["path,label\n", *rows]))
    assert moderate("embed", table, "--images", data).status == 0
    table.write_text(table.read_text().replace("0.png,dog", "0.png,cat"))
    done = moderate("info", table, "--images", data)
    told = f"images     8 in 3 classes\nimages in  {data}\nclasses    cat 6, dog 1, owl 1\n"
    assert told in done.stdout
    assert "1 of another class now\n" in done.stdout
    assert moderate("info", table).stdout == done.stdout  # the folder is remembered
    data.rename(data.with_name("gone"))
    assert moderate("info", table).stdout.startswith(f"dataset  {table}: its images were in")


def test_embed_dry_run_estimates_time_and_space_and_writes_nothing(data, moderate, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    lines = dict(line.split("  ", 1) for line in moderate("embed", "-n", data).stdout.splitlines())
    way = ["runtime", "batches", "processor"]
    assert list(lines) == ["images", "to embed", "rate", "time", *way, "feature set", "size"]
    assert lines["to embed"].strip() == "8"
    assert lines["rate"].strip().endswith(" images/s, measured on 8")
    assert re.fullmatch(r"\d+ s, \d+ s of it to start", lines["time"].strip())
    assert lines["runtime"].strip() == "torch: as --runtime says"
    assert re.fullmatch(r"\d+ images, decoded by \d+ workers?", lines["batches"].strip())
    assert lines["processor"].strip().startswith("computes in float32")
    assert lines["feature set"].strip() == f"{data}.moderate/pixels-float32-float32"
    assert sorted(tmp_path.rglob("*")) == before
    moderate("embed", data)
    after = moderate("embed", "-n", data).stdout.splitlines()
    assert [line.split()[0] for line in after] == ["images", "to", "feature", "size"]
    assert after[1].split() == ["to", "embed", "0"]


def test_a_precision_that_the_processor_lacks_is_a_wrong_use(data, moderate, monkeypatch):
    monkeypatch.setattr(arithmetic, "computes", lambda name: name == "float32")
    options = ("--backbone", "efficientnet_lite0", "--precision", "float16", "--device", "cpu")
    for more in ((), ("--dry-run",)):
        status, out, told = moderate("embed", data, *options, *more)
        assert (status, out) == (2, "")
        assert told.startswith("moderate: error: --precision float16: this processor has no arith")
        assert told.count("\n") == 1


def test_embed_dry_run_of_several_backbones_lists_the_dataset_once(data, moderate, counted):
    (data / "fox").mkdir()
    listed = counted(datasets, "scan")
    both = ("--backbone", "pixels", "--backbone", "efficientnet_lite0")
    done = moderate("embed", "-n", data, *both)
    sets = [line.split("/")[-1] for line in done.stdout.splitlines() if "feature set" in line]
    assert sets == ["pixels-float32-float32", "efficientnet_lite0-float32-float32"]
    assert done.stderr == f"moderate: warning: {data}: 1 class has no images: fox\n"
    assert len(listed) == 1


def test_verbose_prints_timings(data, moderate):
    told = moderate("embed", "-v", "-j", "3", data).stderr.splitlines()[0]
    parts = r"decode \d+\.\d s and transform \d+\.\d s in 3 workers, forward \d+\.\d s, write \d"
    assert re.match(rf"moderate: 8 images in \d+\.\d s, \d+ images/s: {parts}", told)
    assert len(moderate("embed", "-v", data).stderr.splitlines()) == 1


def test_info_shows_how_far_an_interrupted_run_came(data, moderate):
    import moderate_cli

    with pytest.raises(ZeroDivisionError):
        moderate_cli.embed(
            moderate_cli.scan(data),
            backbone="pixels",
            batch_size=1,
            listener=Told(embed=lambda done, _: 1 // (3 - done)),
        )
    assert "unfinished: 0 of 8 images\n" in moderate("info", data).stdout


def test_info_without_features(data, moderate):
    assert moderate("info", data) == (
        0,
        f"dataset  {data}\nimages   8 in 3 classes\nclasses  cat 5, dog 2, owl 1\n\n"
        "no features yet; `moderate embed` or any other command computes them\n",
        "",
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["select", "DATA"], "missing --ratio or --count"),
        (["select", "-r", "0.5"], "missing DATA, a dataset folder"),
        (
            ["select", "-r", "0.5", "--count", "3", "DATA"],
            "use --ratio 0.5 or --count 3, not both",
        ),
        (
            ["select", "-r", "30", "DATA"],
            "--ratio: 30 is not in (0, 1]; it is the fraction kept. For 30 % write 0.3 or 30%.",
        ),
        (
            ["select", "-r", "3O%", "DATA"],
            "--ratio: '3O%' is not a number. Write 0.3, 30% or 3/10.",
        ),
        (
            ["select", "-r", "0.3", "--drop-suspects", "x", "DATA"],
            "--drop-suspects: 'x' is neither auto nor a number. Write 0.3, 30% or 3/10.",
        ),
        (
            ["select", "-r", "x", "DATA"],
            "--ratio: 'x' is not a number. Write 0.3, 30% or 3/10.",
        ),
        (
            ["select", "-r", "1", "--quantile", "-1", "DATA"],
            "--quantile: -1 is not in [0, 1].",
        ),
        (
            ["select", "-r", "1", "DATA", "--scores", "s.npy"],
            "use DATA or --scores, not both",
        ),
        (
            ["select", "-r", "1", "--features", "f.npy", "--scores", "s.npy"],
            "use --features or --scores, not both",
        ),
        (["select", "-r", "1", "--features", "f.npy"], "--features needs --labels"),
        (
            ["select", "-r", "1", "--scores", "s.npy", "--metric", "cosine"],
            "use --scores or --metric, not both",
        ),
        (
            ["score", "DATA", "--criterion", "el2n", "--center", "median"],
            "use --criterion el2n or --center, not both",
        ),
        (
            ["select", "-r", "1", "DATA", "--strategy", "adaptive", "--center", "median"],
            "use --strategy adaptive or --center, not both",
        ),
        (
            ["select", "-r", "1", "--scores", "s.npy", "--strategy", "matching"],
            "--strategy matching needs features, not --scores",
        ),
        (
            ["select", "-r", "1", "DATA", "--strategy", "graph", "--scope", "global"],
            "use --strategy graph or --scope global, not both",
        ),
        (
            ["select", "-r", "1", "DATA", "--balance", "sqrt", "--scope", "global"],
            "use --balance sqrt or --scope global, not both",
        ),
        (
            ["select", "-r", "1", "DATA", "--strategy", "hard", "--quantile", "0.3"],
            "use --strategy hard or --quantile 0.3, not both",
        ),
        (
            ["score", "--features", "f.npy", "--labels", "y.npy", "-j", "2"],
            "use --features or --workers, not both",
        ),
        (
            ["select", "-r", "1", "DATA", "--copy-to", "out", "--counts"],
            "use --copy-to or --counts, not both",
        ),
        (
            ["select", "-r", "1", "DATA", "--labels", "y.npy"],
            "with DATA, --labels y.npy is neither kmeans:K nor a table of corrected labels (.csv,"
            " .tsv, .jsonl, .parquet or .txt)",
        ),
        (
            ["select", "-r", "0.1,0.2", "DATA"],
            "several ratios need -o or --copy-to, with {ratio} in the name",
        ),
        (
            ["select", "-r", "0.1,0.2", "DATA", "-o", "kept.txt"],
            "with several ratios, --output needs {ratio} in the name",
        ),
        (
            ["select", "-r", "1", "DATA", "-o", "k.txt", "--counts"],
            "use --output or --counts, not both",
        ),
        (
            ["select", "-r", "1", "--scores", "s.npy", "--copy-to", "out"],
            "--copy-to needs DATA, a dataset folder",
        ),
        (["select", "-r", "1", "DATA", "--force"], "--force needs --copy-to"),
        (["select", "-r", "1", "DATA", "--link", "hard"], "--link needs --copy-to"),
        (
            ["select", "-r", "1", "DATA", "-0", "-o", "k.csv"],
            "use --output k.csv or --null, not both",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(data, moderate, args, message):
    args = [str(data) if arg == "DATA" else arg for arg in args]
    assert moderate(*args) == (
        2,
        "",
        f"moderate: error: {message} (see 'moderate {args[0]} --help')\n",
    )
    assert os.listdir(data.parent) == ["train"]


def options_with_a_range():
    for name in COMMANDS:
        for parameter in cli.get_command(None, name).params:
            if not isinstance(parameter, click.Option):
                continue
            match parameter.type:
                case click.Choice():
                    yield name, parameter.opts[-1], "nonsense"
                case click.IntRange(min=least):
                    yield name, parameter.opts[-1], str(least - 1)
                    yield name, parameter.opts[-1], "many"
    yield from (("select", "--ratio", bad) for bad in ("0", "-1", "1.01", "nan", "", "1/0", "0,1"))
    yield from (("select", "--quantile", bad) for bad in ("-0.1", "1.1", "inf", "half"))


@pytest.mark.parametrize(("command", "option", "value"), list(options_with_a_range()))
def test_a_value_out_of_range_is_named_with_its_option(data, moderate, command, option, value):
    done = moderate(command, data, option, value)
    assert (done.status, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"moderate: error: {option}: ")
    assert os.listdir(data.parent) == ["train"]


def test_a_suffix_is_checked_before_anything_is_computed(data, moderate):
    assert moderate("select", "-r", "1", data, "-o", "kept.pkl") == (
        2,
        "",
        "moderate: error: kept.pkl: unknown suffix; use one of .txt, .csv, .json, .npy\n",
    )
    assert moderate("score", data, "-o", "s.json") == (
        2,
        "",
        "moderate: error: s.json: unknown suffix; use one of .txt, .csv, .npy\n",
    )
    assert os.listdir(data.parent) == ["train"]


def test_the_environment_sets_options(data, moderate, monkeypatch):
    monkeypatch.setenv("MODERATE_RATIO", "1")
    monkeypatch.setenv("MODERATE_STORE", str(data.parent / "features"))
    assert len(moderate("select", data).stdout.splitlines()) == 8
    assert sorted(os.listdir(data.parent)) == ["features", "train"]


def test_the_table_of_commands_gives_the_first_line_of_each_help():
    for name, line in COMMANDS.items():
        command = cli.get_command(None, name)
        assert command.help.split("\n\n")[0] == line


def test_the_bare_command_shows_its_help(moderate):
    assert moderate() == (2, "", moderate("--help").stdout)


def test_an_unknown_command_is_told_its_nearest_names(moderate):
    for name, near in {"sellect": "select", "prune": "select", "version": "--version"}.items():
        done = moderate(name, "data")
        told = f"moderate: error: command {name!r} is unknown; did you mean {near}?"
        assert (done.status, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith(told)


def test_every_option_has_help():
    for name in COMMANDS:
        for param in cli.get_command(None, name).params:
            if isinstance(param, click.Option):
                assert param.help, (name, param.name)


def raising(error):
    def fail(*_args, **_options):
        raise error

    return fail


def test_a_library_without_room_is_told_in_a_line(data, moderate, monkeypatch):
    room = "libtorch_cpu.so: failed to map segment from shared object"
    monkeypatch.setattr(datasets, "scan", raising(ImportError(room)))
    assert moderate("score", data) == (
        1,
        "",
        f"moderate: error: not enough memory to load a library ({room}); raise the limit, e.g."
        " ulimit -v unlimited\n",
    )
    monkeypatch.setattr(datasets, "scan", raising(ImportError("no module")))
    with pytest.raises(ImportError, match="no module"):
        moderate("score", data)


def test_advice_on_memory_is_that_of_the_work_that_needs_it(data, moderate, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "scan", raising(MemoryError()))
        for command in ("select -r 0.5", "score", "duplicates"):
            assert moderate(*command.split(), data) == (
                1,
                "",
                f"moderate: error: out of memory in {command.split()[0]}; run it on a machine with"
                " more free memory\n",
            )
    with monkeypatch.context() as patch:
        patch.setattr(local, "embed_blocks", raising(MemoryError()))
        assert moderate("select", "-r", "0.5", data) == (
            1,
            "",
            "moderate: error: out of memory in embedding; a smaller --batch-size and fewer"
            " --workers need less\n",
        )
    moderate("embed", data)
    monkeypatch.setattr(training.nn, "Linear", raising(MemoryError()))
    options = ("--with", "train", "--seeds", "1", "-r", "0.5", "--steps", "1")
    assert moderate("evaluate", *options, data) == (
        1,
        "",
        "moderate: error: out of memory; a smaller --size or network takes less\n",
    )


def test_an_error_of_the_system_is_of_stdout_only_if_it_is(data, moderate, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "scan", raising(OSError(errno.EMFILE, "Too many open files")))
        assert moderate("score", data) == (
            1,
            "",
            "moderate: error: score: stopped by a system error (Too many open files)\n",
        )
        patch.setattr(datasets, "scan", raising(OSError(errno.EACCES, "Permission denied", b"a\n")))
        assert moderate("score", data) == (1, "", "moderate: error: a\\n: Permission denied\n")
        patch.setattr(datasets, "scan", raising(EOFError("torn")))
        with pytest.raises(EOFError):  # click would take it for Ctrl-C
            moderate("score", data)
