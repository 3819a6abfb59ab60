"""Figures in sentences are those of the results."""

import csv
import re

import pytest

from tests.benchmarks.page import PAGE
from tests.docs.pages import PAGES
from tests.marked import parts

EVIDENCE = next(page for page in PAGES if page.stem == "evidence")
SUSPECTS = next(page for page in PAGES if page.stem == "suspects")
FAULTS = PAGE.parents[2] / "faults" / "README.md"


def says(page, sentence):
    """Whether a page has these words, wherever its lines end."""
    return sentence in " ".join(page.read_text().split())


def cells(name):
    """Rows of a table of the results."""
    for line in parts(PAGE.read_text())[name].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("stage", "baseline", "sentence"),
    [
        (
            "embed 480 photos, efficientnet_lite0, torch",
            "the usual loop",
            "backbone takes {:.2f} of",
        ),
        (
            "embed 480 photos, efficientnet_lite0, openvino",
            "the usual loop",
            "and {:.2f} with Open",
        ),
        ("scan 200,000 files", "ImageFolder(root)", "Listing 200,000 files takes {:.2f} of"),
        ("score, mean", "the released formula", "Scores take {:.3f} (mean centers)"),
        ("score, median", "the released formula", "and {:.3f} (median centers)"),
        ("export, link hard, 100,000 files", "cp -al", "An export of hard links takes {:.2f} of"),
        (
            "moderate --help, processor time",
            "import click",
            "`moderate --help` takes {:.1f} times as long",
        ),
    ],
)
def test_speed(stage, baseline, sentence):
    (spread,) = (row[4] for row in cells("speed") if row[:2] == [stage, baseline])
    assert says(EVIDENCE, sentence.format(float(spread.split(", ")[1])))


def test_times_at_full_size():
    seconds, peaks = zip(*((int(row[2]), int(row[5])) for row in cells("full size")), strict=True)
    assert f"{min(seconds)} to {max(seconds)} s" == "32 to 141 s"
    assert f"{min(peaks) / 1000:.1f} to {max(peaks) / 1000:.1f} GB" == "1.0 to 1.9 GB"
    assert says(EVIDENCE, "took 32 to 141 s and 1.0 to 1.9 GB of memory")
    took = {row[0]: row[2] for row in cells("strategies")}
    for name in ("k-center", "matching", "facility-location", "graph"):
        assert says(EVIDENCE, f"`{name}` {took[f'`{name}`']} s")
    assert says(EVIDENCE, f"`herding` took {took['`herding`']} s")
    dropped = took["`moderate`, with `--drop-suspects auto`"]
    assert says(EVIDENCE, f"`--drop-suspects auto` {dropped} s")


def test_costs():
    epochs = {row[0].split()[0]: float(row[4]) for row in cells("cost")}
    assert epochs["resnet18"] < 1
    assert says(EVIDENCE, f"only after {epochs['cnn']:.0f} epochs of a small CNN")


def test_precision():
    same = {row[0]: float(row[3].rstrip("%")) for row in cells("precision")}
    assert says(EVIDENCE, f"keeps {same['torch, float32, float16']:.1f} % of the same images")
    assert 94 < same["torch, bfloat16, float16"] < 96


def table_rows(judge):
    """Rows of the tables that compare ways, by dataset, scenario, ratio and way."""
    return {
        (path.stem, row["scenario"], row["ratio"], row["way"]): row
        for path in PAGE.parent.glob("*.csv")
        for row in csv.DictReader(path.read_text().splitlines())
        if row["judge"] == judge and row["to_random"]
    }


def apart(row, field):
    """The difference in points, and whether it is beyond its interval: -1, 0 or 1."""
    mean, half = (100 * float(row[name]) for name in (field, f"{field}_half"))
    return mean, (mean > half) - (mean < -half)


@pytest.mark.parametrize(
    ("judge", "sentence"),
    [
        ("head", "is ahead by {:.1f} points in the mean (linear probe; in {} cells beyond"),
        ("patches", "and by {:.1f} (kernel learner; {}, and one)."),
    ],
)
def test_adaptive_is_behind_random_in_each_class_where_it_is_said(judge, sentence):
    rows = {key: row for key, row in table_rows(judge).items() if float(key[2]) <= 0.5}
    found = {way: [apart(row, "to_random_in_class") for key, row in rows.items() if key[3] == way]
             for way in {key[3] for key in rows} - {"random in each class"}}  # fmt: skip
    means = {way: sum(mean for mean, _ in some) / len(some) for way, some in found.items()}
    assert max(means, key=means.get) == "adaptive"
    assert len(found["adaptive"]) == 90
    behind = {key[:3]: -apart(row, "to_random_in_class")[0] for key, row in rows.items()
              if key[3] == "adaptive" and apart(row, "to_random_in_class")[1] < 0}  # fmt: skip
    assert behind.keys() == ({("clothing", "ruined-20", "0.1")} if judge == "patches" else set())
    for points in behind.values():
        assert says(EVIDENCE, f"it is behind by {points:.1f} points in the three draws")
    ahead = sum(side > 0 for _, side in found["adaptive"])
    assert says(EVIDENCE, sentence.format(means["adaptive"], ahead))


def test_where_adaptive_is_behind_random():
    behind = {
        key[:3]: apart(row, "to_random")[0]
        for judge in ("head", "patches")
        for key, row in table_rows(judge).items()
        if key[3] == "adaptive" and apart(row, "to_random")[1] < 0
    }
    assert behind.keys() == {("cifar100", "clean", "0.5"), ("cifar100", "clean", "0.7")}
    words = "by {:.1f} points at 0.5 and by {:.1f} at 0.7"
    assert says(EVIDENCE, words.format(*(-behind[key] for key in sorted(behind))))


def test_adaptive_beside_the_oracle():
    reached = {
        way: [
            100 * float(table_rows(judge)["cifar100", "symmetric-20", "0.2", way]["accuracy"])
            for judge in ("head", "patches")
        ]
        for way in ("adaptive", "oracle", "random")
    }
    assert says(
        EVIDENCE,
        "`adaptive` reaches {:.1f} (linear probe) and {:.1f} (kernel".format(*reached["adaptive"]),
    )
    assert says(EVIDENCE, "the oracle {:.1f} and {:.1f}, random".format(*reached["oracle"]))
    assert says(EVIDENCE, "random {:.1f} and {:.1f}.".format(*reached["random"]))


def test_features_of_a_network_of_its_own():
    rows = {tuple(row[:3]): re.sub(r", [^(]*", " ", row[3]) for row in cells("own features")}
    for way in (
        "the paper's window", "the window in each class", "matching", "matching-unscaled",
        "adaptive",
    ):  # fmt: skip
        shown = [rows["20 % wrong", way, kind] for kind in ("default", "own")]
        assert says(EVIDENCE, f"| {way} | {shown[0]} | {shown[1]} |")
    assert says(EVIDENCE, f"selection reaches {rows['20 % wrong', 'random', ''].split()[0]}.")
    both = rows["20 % wrong", "the window in each class", "both"]
    assert says(EVIDENCE, f"leave {both.split('(')[1].split(' %')[0]} % wrong labels")
    own, default = (
        float(rows["clean", "the paper's window", kind].split()[0]) for kind in ("own", "default")
    )
    assert says(EVIDENCE, f"own features bring {own - default:.1f} points to the paper's window")
    words = "it reaches {} by own features and {} by default ones, random selection {}, and"
    noisier = (
        rows["35 % wrong", way, kind].split()[0]
        for way, kind in (
            ("the paper's window", "own"), ("the paper's window", "default"), ("random", ""),
        )
    )  # fmt: skip
    assert says(EVIDENCE, words.format(*noisier))
    best = rows["35 % wrong", "adaptive", "default"].split()[0]
    assert says(EVIDENCE, f"`adaptive` {best} by default features")
    gained = {
        tuple(row[:3]): re.findall(r"[\d.]+ ± [\d.]+", row[3]) for row in cells("own features")
    }
    ruined = (
        gained["20 % ruined", way, kind][0]
        for way in ("the paper's window", "adaptive")
        for kind in ("own", "default")
    )
    words = (
        "loses {} points to random selection by own features, and {} by default ones;"
        " `adaptive` gains {} and {}."
    )
    assert says(EVIDENCE, words.format(*ruined))


def test_label_errors():
    rows = {tuple(row[:3]): row[3:] for row in cells("suspects")}
    for noise, words in (
        ("20% symmetric", "spread evenly, precision was {} and recall {}; with 40 %"),
        ("40% symmetric", "with 40 %, {} and {}."),
        ("20% pairs", "in one other class, precision was {} and recall {}."),
        ("20% human", "follow the looks of images, precision was {} and recall {}."),
    ):
        assert says(SUSPECTS, words.format(*rows["strong", "20 x 100", noise][5:7]))
    clean = {key: row for key, row in rows.items() if key[2] == "clean"}
    share = float(clean["strong", "20 x 100", "clean"][4].split()[0])
    assert says(SUSPECTS, f"Of clean labels, {100 * share:.1f} % were flagged")
    flagged = [float(row[4].split()[0]) for key, row in clean.items() if key[0] == "strong"]
    assert says(EVIDENCE, f"At most {100 * max(flagged):.1f} % of clean labels are flagged")
    noisy = {key: row for key, row in rows.items() if key[0] == "strong" and key not in clean}
    f1 = {key: [float(row[at].split()[0]) for at in (3, 7)] for key, row in noisy.items()}
    high = [key for key, (theirs, ours) in f1.items() if ours >= theirs]
    assert says(EVIDENCE, f"In {len(high)} of {len(noisy)} cases the F1 of `moderate suspects`")
    assert [key[1] for key in f1 if key not in high].count("5 x 20") == 5
    missed = [
        100 * (1 - float(row[6]))
        for (_, images, name), row in noisy.items()
        if name.endswith("human") and not images.endswith(" 20")
    ]
    assert says(EVIDENCE, f"{min(missed):.0f} to {max(missed):.0f} % of them are missed")
    weak = {key[1]: float(row[4].split()[0]) for key, row in clean.items() if key[0] == "weak"}
    known = {size: share for size, share in weak.items() if share}
    assert {size.split()[0] for size in known} == {"5"}
    assert says(EVIDENCE, f"With 5 classes up to {100 * max(known.values()):.0f} % of clean labels")


def test_faults():
    rows = [line.split(" | ") for line in parts(FAULTS.read_text())["faults"].splitlines()[2:]]
    assert all(row[2].startswith("nothing") for row in rows)
    damaged = sum(int(row[1]) for row in rows if row[0].startswith("| random damage"))
    assert says(EVIDENCE, f"damaged at random {damaged:,} times")
    assert {row[1] for row in rows if row[0].startswith("| SIGKILL")} == {"100"}
    assert says(EVIDENCE, "Each command was killed 100 times at random moments")


def test_scaling_has_the_figures_of_the_results():
    page = next(page for page in PAGES if page.stem == "scaling")
    for row in cells("scale"):
        assert f"| {row[0]} | {row[4]} | {row[5]} | {row[6]} |" in page.read_text()
    took = {row[0].strip("`"): row[2] for row in cells("strategies")}
    assert says(page, f"`matching` takes {took['matching']} CPU seconds with reading")
    assert says(page, f"and `herding` {took['herding']}, which is 3 seconds on")
