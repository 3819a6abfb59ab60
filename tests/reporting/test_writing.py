"""A report as files: the data of the page, and the plots."""

import io
import json
import os
import re
import shlex
import tarfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import paint
from hostile import HOSTILE
from PIL import Image
from reports import data_of, subject_of

import moderate_cli
from moderate_cli.evaluation import FULL, Cell, Result
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.images.thumbnails import Thumbnail
from moderate_cli.networks.table import FeatureSpec
from moderate_cli.reporting import Subject, map_of
from moderate_cli.reporting import page as module
from moderate_cli.reporting.page import render


def test_ratios_of_an_evaluation_may_be_fractions(embedded, moderate, tmp_path):
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


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "its distance to the class center.</p>"),
        (
            ("--strategy", "matching"),
            "its distance to the class center. <code>matching</code> does not select by it.</p>",
        ),
        (
            ("--strategy", "adaptive"),
            "its margin score: by how much a linear (ridge) probe that did not see the image"
            " prefers another class; negative if it prefers the label.</p>",
        ),
    ],
)
def test_the_page_says_what_the_score_of_an_image_is(embedded, moderate, tmp_path, args, said):
    assert moderate("report", embedded, *args, "-o", tmp_path / "r.html").status == 0
    assert f"<p>The score of an image is {said}" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([("resnet18", "", "torchvision")], "`resnet18`"),
        ([("fitted", "1f", "cnn, 3 folds")], "`fitted` (cnn, 3 folds by `moderate fit`)"),
        ([("resnet18", "1f", "my`.pt")], "`resnet18` (weights from my'.pt)"),
        ([("pixels", "", "none"), ("resnet18", "", "")], "`pixels` and `resnet18`"),
        ([], ""),
    ],
)
def test_the_networks_of_the_features_are_named(tmp_path, sets, said):
    stores = [
        SimpleNamespace(manifest=SimpleNamespace(spec=FeatureSpec(name, digest), weights=weights))
        for name, digest, weights in sets
    ]
    subject = subject_of(tmp_path, [1, 2, 3, 4], [0, 0, 1, 1], ["a", "b"], stores=stores)
    assert subject.networks == said


def test_the_page_names_them_beside_the_dataset(embedded, moderate, tmp_path):
    assert moderate("report", embedded, "-o", tmp_path / "r.html").status == 0
    lead = re.search(r'<p class="lead">(.*?)</p>', (tmp_path / "r.html").read_text(), re.DOTALL)
    assert re.sub("<[^>]*>", "", lead[1]).endswith("in each class. Features are of pixels.")


def test_images_of_tar_files_are_drawn_and_those_that_are_gone_say_why(
    tmp_path, moderate, monkeypatch
):
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
    assert [uri[:16] for uri in found["pictures"]] == 6 * ["data:image/webp;"]
    assert found["undrawn"] == {}


def test_images_that_cannot_be_drawn_are_listed(small):
    class Gone:
        def read(self, name):
            raise OSError(5, f"{os.path.basename(name)} is <gone>\x1b")

    source = replace(small.selection.source, dataset=replace(small.dataset, source=Gone()))
    subject = Subject(replace(small.selection, source=source))
    page = render(subject, map_of(subject), []).decode()
    found = data_of(page)
    assert found["pictures"] == 9 * [""]
    assert found["undrawn"]["0"] == "0.png is <gone>\\x1b"
    assert sorted(map(int, found["undrawn"])) == list(range(9))
    assert "9 images without a picture" in page
    assert "is &lt;gone&gt;" in page


@pytest.mark.parametrize(
    ("images", "classes", "shown"), [(300_000, 1_000, 5_000), (65_536, 65_536, 3_100)]
)
def test_a_page_of_very_many_images_and_classes_stays_below_24_mb(
    images, classes, shown, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "_bundle", lambda: 900_000 * " ")
    labels = np.arange(images) % classes
    names = [f"{number:05}" + "\u6587" * 80 for number in range(classes)]
    subject = subject_of(tmp_path, np.random.default_rng(0).random(images), labels, names)
    monkeypatch.setattr(
        "moderate_cli.images.thumbnails.thumbnail", lambda *_: Thumbnail(4000 * "x")
    )
    page = render(subject, map_of(subject), [])
    assert 22_000_000 < len(page) < 24_000_000
    text = page.decode()
    number = len(data_of(text)["pictures"])
    assert number == pytest.approx(shown, rel=0.15)
    assert f"The page has room for {number:,} of {images:,} images: a random sample of" in text


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


def test_the_same_input_makes_the_same_bytes(embedded, moderate, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1743379200")
    pages = []
    for name in ("one", "two"):
        module._bundle.cache_clear()
        page = tmp_path / "r.html"
        args = ("-r", "0.5", "-o", page, "--png", tmp_path / name)
        done = moderate("report", embedded, *args)
        assert done.status == 0
        pages.append(page.read_bytes())
    assert done.stderr.endswith(
        f"moderate: Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate"
        f" -> {page}\nmoderate: Wrote the plots -> {tmp_path}/two\n"
    )
    assert pages[0] == pages[1]
    assert b"This page, made on 2025-03-31" in pages[0]
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
    ("--strategy", "adaptive"),
    ("--strategy", "random", "--seed", "3"),
    ("--quantile", "0.2", "--min-per-class", "2"),
    ("--dedup", "0.99", "--drop-suspects", "0.2"),
    ("--labels", "kmeans:2"),
    ("--count", "3", "--criterion", "margin"),
]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_report_keeps_what_select_keeps(way, embedded, moderate, tmp_path):
    ratio = () if "--count" in way else ("-r", "0.5")
    done = moderate("report", embedded, *ratio, *way, "-o", tmp_path / "r.html")
    assert done.status == 0, done.stderr
    found = data_of((tmp_path / "r.html").read_text())
    images = zip(found["images"]["path"], found["images"]["fate"], strict=True)
    kept = {path for path, fate in images if fate == 0}
    assert kept == set(moderate("select", embedded, *ratio, *way).stdout.splitlines())
    assert sum(found["classes"]["kept"]) == len(kept)


def test_scores_of_several_backbones_are_called_ranks(data, moderate, tmp_path):
    both = ("--backbone", "pixels", "--backbone", "efficientnet_lite0")
    done = moderate("report", data, *both, "-o", tmp_path / "r.html")
    assert done.status == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "its rank by several feature sets" in page


def test_unreadable_images_are_named(data, moderate, tmp_path):
    (data / "cat" / "1.png").write_bytes(b"")
    refused = moderate("report", data, "-o", tmp_path / "r.html")
    assert (refused.status, os.path.lexists(tmp_path / "r.html")) == (1, False)
    done = moderate("report", data, "--on-error", "skip", "-o", tmp_path / "r.html")
    assert done.status == 0
    page = (tmp_path / "r.html").read_text()
    assert "1 unreadable image" in page
    assert "cat/1.png (is empty)" in page


def test_code_is_set_as_such_and_all_is_escaped():
    shown = str(module._with_code("take `--x <b>` of <i>"))
    words = '<code><span class="word">--x</span> <span class="word">&lt;b&gt;</span></code>'
    assert shown == f"take {words} of &lt;i&gt;"


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
        f"moderate: error: {page}: there is no browser to open it in",
    )


def test_without_an_output_the_page_is_beside_the_dataset(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded)
    for data in (embedded, f"{embedded}/", "."):
        page = embedded.parent / "train-report.html"
        done = moderate("report", data)
        assert (done.status, done.stdout) == (0, "")
        assert (
            done.stderr.splitlines()[-1] == f"moderate: hint: open {page.as_uri()}, or add --open"
        )
        page.unlink()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-r", "0.1,0.3", "-o", "r.html"), "error: report takes only one --ratio"),
        (("-o", "r.png"), "error: r.png: must end in .html"),
        (
            ("-o", "r.html", "--labels", "l.npy"),
            "error: with DATA, --labels l.npy is neither kmeans:K",
        ),
        (
            ("-o", "r.html", "-r", "0.3", "--count", "3"),
            "error: use --ratio 0.3 or --count 3, not both",
        ),
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
        "moderate: error: r.html: needs missing packages; pip install 'moderate-cli[report]'\n",
    )
    assert not (data.parent / "train.moderate").exists()  # nothing was embedded


def test_a_page_shows_a_selection_that_keeps_an_earlier_one(embedded, moderate, tmp_path):
    (tmp_path / "old.txt").write_text("cat/4.png\n")
    args = ("-r", "0.5", "--keep-from", tmp_path / "old.txt")
    page = tmp_path / "page.html"
    done = moderate("report", embedded, *args, "-o", page)
    assert done.status == 0, done.stderr
    assert f"keeping 1 image of {tmp_path}/old.txt" in done.stderr
    text = page.read_text()
    assert "; 1 of them because <bdi>old.txt</bdi> has them. Features are of" in text
    commands = [
        shlex.split(re.sub("<[^>]*>", "", one))
        for one in re.findall(r'<div class="command"><code>(.*?)</code>', text)
    ]
    (select,) = [one for one in commands if one[1] == "select"]
    kept = moderate(*select[1:-2]).stdout.split()
    assert "cat/4.png" in kept
    images = data_of(text)["images"]
    fates = dict(zip(images["path"], images["fate"], strict=True))
    assert [path for path, fate in sorted(fates.items()) if fate == 0] == kept
    # Paths that no file has are in no command.
    how = {"ratio": 0.5, "backbone": "pixels", "dtype": "float32", "runtime": "torch"}
    moderate_cli.report(embedded, page, keep_from=["cat/4.png"], **how)
    assert "--keep-from" not in re.sub("<script.*?</script>", "", page.read_text(), flags=re.DOTALL)
