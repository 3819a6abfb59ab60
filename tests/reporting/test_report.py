"""What a report says, in numbers and bytes; how its page behaves is for test_page.py."""

import base64
import io
import json
import os
import re
import struct
import sys
import tarfile
import types
import zlib
from dataclasses import replace

import numpy as np
import pytest
from conftest import paint
from hostile import HOSTILE
from PIL import Image

from moderate_cli.charts.histogram import histogram
from moderate_cli.dataset import Dataset
from moderate_cli.evaluation import FULL, Cell, Result
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.images.thumbnails import Thumbnail, thumbnail, thumbnails
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting import Subject, map_of
from moderate_cli.reporting.charts import score_bins, window_of
from moderate_cli.reporting.evaluations import evaluations_in
from moderate_cli.reporting.facts import ClassFacts, Warned, class_facts, warnings
from moderate_cli.reporting.gallery import gallery
from moderate_cli.reporting.page import render
from moderate_cli.reporting.projection import project
from moderate_cli.reporting.ranking import ranking
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores
from moderate_cli.selection import select
from moderate_cli.selection.duplicates import Duplicates

HOW = {
    "ratio": "0.5",
    "strategy": "moderate",
    "scope": None,
    "balance": "proportional",
    "quantile": "0.5",
    "min_per_class": 1,
    "seed": 0,
}


def subject_of(tmp_path, values, labels, classes, how=HOW, left_out=(), **more):
    """A selection from scores that are given; its features are the scores, twice."""
    values, labels = np.asarray(values, dtype=float), np.asarray(labels)
    paths = tuple(f"{classes[label]}/{row}.png" for row, label in enumerate(labels.tolist()))
    eligible = ~np.isnan(values)
    eligible[list(left_out)] = False
    able = Scores(np.where(eligible, values, np.nan), labels, classes, paths)
    features = np.stack([values, values], axis=1)
    return Subject(
        dataset=Dataset(tmp_path, tuple(classes), paths, labels),
        data=LabeledFeatures(features, labels, ~np.isnan(values), classes, paths, labeling="own"),
        scores=Scores(values, labels, classes, paths),
        eligible=eligible,
        kept=select(able, **how),
        how=how,
        **more,
    )


@pytest.fixture
def small(tmp_path):
    """Eight images; the window holds scores 3 to 6, image 7 cannot be read, 8 is left out."""
    values = [1, 2, 3, 4, 5, 6, 7, np.nan, 8, 9]
    labels = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    return subject_of(tmp_path, values, labels, ("cat", "dog"), left_out=[8])


def test_the_numbers_of_each_class(small):
    assert small.kept.tolist() == [False, False, True, True, True, True] + 4 * [False]
    assert class_facts(small) == [
        ClassFacts("cat", 4, 4, 2, 0, 1.75, 2.5, 3.25),
        ClassFacts("dog", 5, 4, 2, 0, 6.0, 7.0, 8.0),
    ]


def test_bins_count_what_is_kept_dropped_and_could_be_kept(small):
    bins = score_bins(small)
    assert sum(one["kept"] for one in bins) == 4
    assert sum(one["dropped"] for one in bins) == 5
    assert sum(one["eligible"] for one in bins) == 8
    by_score = {one["from"]: (one["kept"], one["dropped"], one["eligible"]) for one in bins}
    assert (by_score[3.0], by_score[7.0], by_score[8.0]) == ((1, 0, 1), (0, 1, 1), (0, 1, 0))
    assert window_of(small) == [{"from": 3.0, "to": 6.0}]


def test_windows_within_classes_are_not_one_window(tmp_path):
    how = HOW | {"scope": "class"}
    assert window_of(subject_of(tmp_path, [1, 2, 3], [0, 0, 1], "ab", how)) == []


def unpacked(text):
    return np.frombuffer(base64.b64decode(text), dtype="<u2").tolist()


def test_the_page_carries_sorted_scores(tmp_path):
    found = ranking(subject_of(tmp_path, [5, 1, np.nan, 3, 3], [2, 0, 0, 2, 0], "abc"))
    assert (found["n"], found["step"], found["low"], found["high"]) == (4, 1, 1.0, 5.0)
    assert unpacked(found["scores"]) == [0, 32768, 32768, 65535]
    assert unpacked(found["members"]) == [0, 1, 0, 1]
    assert found["sizes"] == [2, 2]
    assert found["rule"]["kind"] == "global window"


def test_of_very_many_images_every_second_or_third_is_carried(tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.ranking.MOST_RANKS", 4)
    found = ranking(subject_of(tmp_path, range(9), [0] * 9, "a"))
    assert (found["n"], found["step"]) == (9, 3)
    assert unpacked(found["scores"]) == [8192, 32768, 57343]


def test_the_gallery_shows_ends_and_middle_kept_and_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.gallery.MOST_ON_A_SHELF", 2)
    subject = subject_of(tmp_path, [8, 7, 6, 5, 4, 3, 2, 1], [0] * 8, "a")
    assert {shelf.title: shelf.rows.tolist() for shelf in gallery(subject)[0]} == {
        "Nearest to the center": [7, 6],
        "At the median": [4, 3],
        "Farthest from the center": [0, 1],
        "Kept, from low to high": [4, 2],
        "Dropped, from low to high": [6, 0],
    }


def test_warnings_name_what_they_are_about(tmp_path):
    subject = subject_of(
        tmp_path,
        [1, 2, 3, 40],
        [0, 0, 0, 1],
        ("cat", "d\u202eog"),
        rescued=[1],
        unreadable={"cat/x\n.png": "is empty"},
    )
    assert list(warnings(subject))[:2] == [
        Warned(
            "1 class would be left empty",
            "An image or more of each is kept all the same: d\\u202eog.",
        ),
        Warned("1 image cannot be read", "Left out: cat/x\\n.png (is empty)."),
    ]


def test_warnings_say_what_became_of_suspects(tmp_path):
    def warned(probability, left_out=(), **more):
        subject = subject_of(tmp_path, range(20), 10 * [0] + 10 * [1], "ab", HOW, left_out, **more)
        # Found at the first look, else.
        subject.__dict__["suspects"] = Suspects(np.array(probability), subject.scores.labels)
        return next(warnings(subject))

    sure = [0.9, 0.8] + 18 * [0.001]
    title, detail = "2 images probably with a wrong label", "About 9 % of all labels are wrong."
    assert warned(sure) == Warned(
        title, f"{detail} 0 of the suspects are kept. --drop-suspects auto leaves them out."
    )
    assert warned(sure, [0, 1]) == Warned(
        title, f"{detail} 0 of the suspects are kept. 2 were left out first."
    )
    assert warned(sure, [0], spared={"suspects": 1}) == Warned(
        title,
        f"{detail} 0 of the suspects are kept. 1 was left out first. 1 stays, so that each class"
        " keeps --min-per-class.",
    )
    assert warned(20 * [0.1]) == Warned(
        "Labels may be wrong, but no image is surely a suspect",
        "The probabilities of all images add up to about 10 % of the labels, but no image is sure.",
    )


def test_warnings_say_what_became_of_near_duplicates(tmp_path):
    found = Duplicates(np.array([1, 4, 5]), np.array([0, 3, 3]), np.ones(3))
    for spared, fate in (
        ({}, "They were left out first."),
        (
            {"near duplicates": 2},
            "1 was left out first; 2 stay, so that each class keeps --min-per-class.",
        ),
    ):
        subject = subject_of(tmp_path, range(6), 6 * [0], "a", dedup=found, spared=spared)
        assert list(warnings(subject)) == [Warned("3 near duplicates", fate)]


def test_titles_of_evaluations_name_the_network(tmp_path):
    rest = {"data": "0a", "scope": None, "center": "mean", "seed": 3}
    for trained, test in (
        ("probe", None),
        (("cnn", 1000, 32, False, 64), None),
        (("resnet18", 200, 0, True, 64), "1b"),
        (("resnet18", 200, 0, True, 64), "2c"),
    ):
        ledger = Ledger(tmp_path / "evaluations.jsonl", {"with": trained, "test": test, **rest})
        ledger.add(Cell(FULL, "1", "", 0), Result(9, 0.9, 0.5))
        ledger.add(Cell("random", "1/3", "", 0), Result(3, 0.5, 0.5))
    # One that was stopped before it had judged any strategy.
    Ledger(tmp_path / "evaluations.jsonl", {"with": "train"}).add(
        Cell(FULL, "1", "", 0), Result(9, 0.9, 0.5)
    )
    tuned = "Trained: resnet18, fine-tuned, 200 steps of 64 images, its own size; judged on a test"
    assert list(evaluations_in(tmp_path)) == [
        "Trained: a linear head on the features; judged on held-out images; center mean, seed 3",
        "Trained: cnn, 1000 steps of 64 images, 32 px; judged on held-out images; center mean,"
        " seed 3",
        f"{tuned} set; center mean, seed 3",
        f"{tuned} set; center mean, seed 3 (2)",
    ]
    assert evaluations_in(None) == {}


def test_ratios_of_an_evaluation_may_be_fractions(embedded, moderate, tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    (folder,) = (embedded.parent / "train.moderate").glob("pixels*")
    ledger = Ledger(folder / "evaluations.jsonl", {"with": "probe", "test": None})
    ledger.add(Cell(FULL, "1", "", 0), Result(9, 0.9, 0.5))
    # As earlier versions wrote it.
    for number, ratio in enumerate(("2/6", "0.50")):
        ledger.add(Cell("random", ratio, "", 0), Result(3, 0.25 + number / 4, 0.5))
    done = moderate("report", embedded, "-o", tmp_path / "r.html", "--png", tmp_path / "png")
    assert done.status == 0, done.stderr
    assert (tmp_path / "png" / "accuracy.png").stat().st_size
    (curves,) = data_of((tmp_path / "r.html").read_text())["charts"]["curves"]
    points = re.findall(r'"strategy": "random".*?"ratio": ([\d.]+)', json.dumps(curves))
    assert {float(ratio) for ratio in points} == {1 / 3, 0.5}


def test_features_that_coincide_are_warned_of(tmp_path):
    detail = "Nothing can be told by them; are the pictures blank, or copies of one?"
    subject = subject_of(tmp_path, [5, 5, 5, 1, 2, 3], [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("1 class of images with the same features", f"{detail} cat.")
    subject = subject_of(tmp_path, [5] * 6, [0, 0, 0, 1, 1, 1], ("cat", "dog"))
    (found,) = [warned for warned in warnings(subject) if "same features" in warned.title]
    assert found == Warned("6 images have the same features", detail)


def test_principal_components_are_drawn_from_a_sample(rng):
    features = np.outer(rng.normal(size=50), [3.0, 0, 4.0])
    found = project(features, np.arange(1, 50), 20)
    assert found.method == "PCA"
    assert (len(found.rows), found.rows.min() > 0, found.rows.max() < 50) == (20, True, True)
    assert np.all(np.diff(found.rows) > 0)
    line = features[found.rows, 0]
    assert np.corrcoef(found.points[:, 0], line)[0, 1] ** 2 == pytest.approx(1)
    wide = project(np.hstack([features, np.zeros((50, 60))]), np.arange(1, 50), 20)
    assert wide.points[:, 0] == pytest.approx(found.points[:, 0])


def test_umap_is_taken_where_it_is_installed(monkeypatch, rng):
    class UMAP:
        def __init__(self, random_state, n_jobs):
            assert (random_state, n_jobs) == (5, 1)

        def fit_transform(self, inputs):
            return inputs[:, :2] * 2

    module = types.ModuleType("umap")
    module.UMAP = UMAP
    module.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "umap", module)
    found = project(rng.random((9, 3)), np.arange(9), 100, seed=5)
    assert (found.method, found.points.min(), found.points.max()) == ("UMAP", 0, 1)


def test_thumbnails_take_no_more_room_than_they_may(tmp_path):
    for number in range(4):
        paint(tmp_path / f"{number}.png", 60 * number)
    (tmp_path / "bad.png").write_bytes(b"%!PS-Adobe")
    os.mkfifo(tmp_path / "fifo.png")
    names = ["0.png", "bad.png", "fifo.png", "missing.png", "1.png", "2.png", "3.png"]
    dataset = Dataset(tmp_path, (".",), names, np.zeros(7, np.int64))
    every = thumbnails(dataset, names, 16, 1_000_000)
    assert [one.reason for one in every] == [
        "",
        "is PostScript, a program that Ghostscript would run",
        "is not a regular file",
        "No such file or directory",
        "",
        "",
        "",
    ]
    assert [one.uri[:23] for one in every if not one.reason] == ["data:image/webp;base64,"] * 4
    room = sum(len(one.uri) + len(one.reason) for one in every[:5])
    none = Thumbnail("", "no room for its picture on this page")
    assert thumbnails(dataset, names, 16, room) == [*every[:5], none, none]


def test_a_thumbnail_is_the_middle_square(tmp_path):
    wide = Image.new("RGB", (300, 100), "black")
    wide.paste("white", (100, 0, 200, 100))
    wide.save(tmp_path / "wide.png")
    head, _, content = thumbnail(f"{tmp_path}/wide.png", 10).uri.partition(",")
    assert head == "data:image/webp;base64"
    (tmp_path / "t.webp").write_bytes(base64.b64decode(content))
    with Image.open(tmp_path / "t.webp") as found:
        assert found.size == (10, 10)
        assert np.asarray(found).min() > 200


def test_a_thumbnail_of_what_is_transparent_is_laid_on_white(tmp_path):
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    content = thumbnail(f"{tmp_path}/clear.png", 10).uri.partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(content))) as found:
        assert np.asarray(found).min() == 255


def test_a_strip_is_drawn_and_a_picture_that_is_too_large_says_so(tmp_path):
    Image.new("1", (70_000, 1), 1).save(tmp_path / "strip.png")
    assert thumbnail(f"{tmp_path}/strip.png", 10).reason == ""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 9_000, 1, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    (tmp_path / "x.png").write_bytes(
        content + struct.pack(">I", zlib.crc32(header)) + struct.pack(">I4sI", 0, b"IDAT", 0)
    )
    found = thumbnail(f"{tmp_path}/x.png", 10)
    assert found == Thumbnail("", "has 180 megapixels, too many for a small picture")


def test_images_of_tar_files_are_drawn_and_those_that_are_gone_say_why(
    tmp_path, moderate, monkeypatch
):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    monkeypatch.chdir(tmp_path)
    with tarfile.open("a.tar", "w") as tar:
        for number in range(6):
            picture = io.BytesIO()
            Image.new("RGB", (9, 9), (40 * number,) * 3).save(picture, "PNG")
            files = {"png": picture.getvalue(), "cls": b"0" if number < 3 else b"1"}
            for suffix, content in files.items():
                member = tarfile.TarInfo(f"{number}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    done = moderate("report", "a.tar", "-r", "0.5", "-o", "r.html")
    assert done.status == 0, done.stderr
    found = data_of((tmp_path / "r.html").read_text())
    assert sorted(map(int, found["pictures"])) == [0, 1, 2, 3, 4, 5]
    assert found["undrawn"] == {}


def test_images_that_cannot_be_drawn_are_told_of(small):
    class Gone:
        def read(self, name):
            raise OSError(5, f"{os.path.basename(name)} is <gone>\x1b")

    subject = replace(small, dataset=replace(small.dataset, source=Gone()))
    page = render(subject, map_of(subject), {}).decode()
    found = data_of(page)
    assert found["pictures"] == {}
    assert found["undrawn"]["0"] == "0.png is <gone>\\x1b"
    assert sorted(map(int, found["undrawn"])) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert "9 pictures cannot be drawn" in page
    assert "is &lt;gone&gt;" in page


def data_of(page):
    """The data that a page carries."""
    (found,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(found)


def test_a_page_of_very_many_images_and_classes_stays_below_10_mb(tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: 900_000 * " ")
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, 20_000, 400_000))
    names = [f"{number:05}" + "\u6587" * 80 for number in range(20_000)]
    subject = subject_of(tmp_path, rng.random(400_000), labels, names)
    monkeypatch.setattr(
        "moderate_cli.images.thumbnails.thumbnail", lambda *_: Thumbnail(4000 * "x")
    )
    assert 9_500_000 < len(render(subject, map_of(subject), {})) < 10_000_000


@pytest.fixture
def hostile(tmp_path):
    """Classes and images that are named to break out of a page."""
    root = tmp_path / "<b>data" / "t&quot;'\""
    for number, name in enumerate(HOSTILE):
        paint(root / name / f"{name}.png", 20 * number)
        paint(root / name / "plain.png", 20 * number + 9)
    return root


def test_hostile_names_are_text(hostile, moderate, tmp_path):
    done = moderate("report", hostile, "-o", tmp_path / "r.html")
    assert done.status == 0
    page = (tmp_path / "r.html").read_text("utf-8")
    for part in ("<script>pwned", "<img src=x", "<svg onload", "\u202e", "\u2028", "<b>data"):
        assert part not in page
    names = data_of(page)["classes"]["name"]
    assert sorted(names) == sorted(
        [*HOSTILE[:3], "new\\nline", "\\u202ertl\\u2028", "\\udcff", HOSTILE[6]]
    )


def test_the_same_input_makes_the_same_bytes(embedded, moderate, tmp_path):
    for name in ("one", "two"):
        done = moderate(
            "report",
            embedded,
            "-r",
            "0.5",
            "-o",
            tmp_path / f"{name}.html",
            "--png",
            tmp_path / name,
        )
        assert done.status == 0
    assert done.stderr.endswith(f"moderate: 4 of 8 images in {tmp_path}/two.html\n")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    names = sorted(os.listdir(tmp_path / "one"))
    assert names == ["classes.png", "classes.svg", "map.png", "map.svg", "scores.png", "scores.svg"]
    for name in names:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<svg")


WAYS = [
    (),
    ("--scope", "class"),
    ("--strategy", "matching"),
    ("--strategy", "random", "--seed", "3"),
    ("--quantile", "0.2", "--min-per-class", "2"),
    ("--dedup", "0.99", "--drop-suspects", "0.2"),
    ("--labels", "kmeans:2"),
    ("--count", "3", "--criterion", "margin"),
]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_report_keeps_what_select_keeps(way, embedded, moderate, tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    ratio = () if "--count" in way else ("-r", "0.5")
    done = moderate("report", embedded, *ratio, *way, "-o", tmp_path / "r.html")
    assert done.status == 0, done.stderr
    found = data_of((tmp_path / "r.html").read_text())
    kept = {
        image["path"]
        for shelves in found["gallery"].values()
        for shelf in shelves
        for image in shelf["images"]
        if image["fate"] == "kept"
    }
    assert kept == set(moderate("select", embedded, *ratio, *way).stdout.splitlines())
    assert sum(found["classes"]["kept"]) == len(kept)


def test_scores_of_several_backbones_are_called_ranks(data, moderate, tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    both = ("--backbone", "pixels", "--backbone", "efficientnet_lite0")
    done = moderate("report", data, *both, "-o", tmp_path / "r.html")
    assert done.status == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "its rank by several feature sets" in page
    assert "<bdi>pixels, efficientnet_lite0</bdi>" in page


def test_unreadable_images_are_named(data, moderate, tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    (data / "cat" / "1.png").write_bytes(b"")
    refused = moderate("report", data, "-o", tmp_path / "r.html")
    assert (refused.status, os.path.lexists(tmp_path / "r.html")) == (1, False)
    done = moderate("report", data, "--on-error", "skip", "-o", tmp_path / "r.html")
    assert done.status == 0
    page = (tmp_path / "r.html").read_text()
    assert "1 image cannot be read" in page
    assert "cat/1.png (is empty)" in page


def test_open_shows_the_page(embedded, moderate, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: not opened.append(address))
    page = tmp_path / "a b#.html"
    assert moderate("report", embedded, "-o", page, "--open").status == 0
    assert opened == [f"file://{tmp_path}/a%20b%23.html"]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    done = moderate("report", embedded, "-o", page, "--open")
    assert (done.status, done.stderr.splitlines()[-1]) == (
        1,
        f"moderate: {page}: there is no browser to open it in",
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-r", "0.1,0.3", "-o", "r.html"), "a report wants one --ratio"),
        (("-o", "r.png"), "--output r.png must end in .html"),
        ((), "Missing option '-o' / '--output'"),
        (("-o", "r.html", "--labels", "l.npy"), "DATA and --labels FILE exclude each other"),
        (("-o", "r.html", "-r", "0.3", "--count", "3"), "exclude each other"),
    ],
)
def test_wrong_arguments(args, message, embedded, moderate):
    done = moderate("report", embedded, *args)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_missing_libraries_are_told_before_the_work(data, moderate, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = moderate("report", data, "-o", "r.html")
    assert done == (
        1,
        "",
        "moderate: r.html: wants the extra 'report'; pip install altair jinja2 vl-convert-python\n",
    )
    assert not (data.parent / "train.moderate").exists()  # nothing was embedded


def test_bins_of_the_chart_are_those_of_the_terminal(small):
    found = histogram(small.scores.values[small.readable], 60)
    assert [one["from"] for one in score_bins(small)] == found.edges[:-1].tolist()
