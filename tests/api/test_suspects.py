"""Suspects as a list, and as a folder to look at; the corrections that follow."""

import csv
import io
import os
import re
import sys
from pathlib import Path

import pytest
from conftest import draw

from moderate_cli import suspects
from moderate_cli.api.suspects import LabelErrors
from moderate_cli.errors import ArgumentError, OptionError, OutputError


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """Five classes of 30 images; one image of a and two of b are in e, two of them of one name."""
    monkeypatch.chdir(tmp_path)
    for label, name in enumerate("abcde"):
        for image in range(30):
            draw(tmp_path / "mixed" / name / f"{image:02}.png", label, image)
    draw(tmp_path / "mixed" / "e" / "x.png", 0, 2)
    draw(tmp_path / "mixed" / "e" / "y.png", 1, 2)
    draw(tmp_path / "mixed" / "e" / "more" / "y.png", 1, 3)
    return tmp_path / "mixed"


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_a_folder_shows_given_and_seen_class(mixed, moderate, link):
    before = sorted(os.listdir(mixed / "e"))
    done = moderate("suspects", "mixed", "--copy-to", "look", "--link", link)
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == (
        "moderate: Copied 3 images -> look; suspects.csv in it lists them"
    )
    look = mixed.parent / "look"
    assert sorted(os.listdir(look)) == [".moderate-export", "e-a", "e-b", "suspects.csv"]
    assert sorted(os.listdir(look / "e-b")) == ["y-1.png", "y.png"]
    table = rows(look / "suspects.csv")
    assert [one["probability"] for one in table] == sorted(
        (one["probability"] for one in table), reverse=True
    )
    for one in table:
        copy, image = look / one["file"], mixed / one["path"]
        assert copy.read_bytes() == image.read_bytes()
        assert os.path.samefile(copy, image) == (link != "none")
        assert copy.is_symlink() == (link == "symbolic")
        assert one["label"] == one["given"] == "e"
    assert sorted(os.listdir(mixed / "e")) == before


def test_a_folder_is_replaced_as_an_export_is(mixed, moderate):
    assert moderate("suspects", "mixed", "--copy-to", "look").status == 0
    done = moderate("suspects", "mixed", "--copy-to", "look")
    assert done.stderr == "moderate: error: look: exists; --force replaces it\n"
    assert moderate("suspects", "mixed", "--copy-to", "look", "--force").status == 0
    with open("look/suspects.csv", "a") as file:
        file.write("e/x.png,e,a,0.9,a,\n")
    done = moderate("suspects", "mixed", "--copy-to", "look", "--force")
    assert "suspects.csv was changed since the export, and --force would lose it" in done.stderr
    assert Path("look/suspects.csv").read_text().endswith("e/x.png,e,a,0.9,a,\n")
    for folder in ("mixed/e/look", "mixed", "mixed.moderate/look"):
        assert moderate("suspects", "mixed", "--copy-to", folder, "--force").status == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("mixed", "--link", "hard"), "--link needs --copy-to"),
        (("mixed", "--force"), "--force needs --copy-to"),
        (("--features", "f.npy", "--labels", "y.npy", "--copy-to", "x"), "--copy-to needs DATA, a"),
    ],
)
def test_options_of_the_folder_need_it(mixed, moderate, args, message):
    done = moderate("suspects", *args)
    assert (done.status, message in done.stderr) == (2, True)


def test_names_of_folders_are_safe(mixed, monkeypatch):
    found = suspects("mixed", backbone="pixels")

    odd = [("a/b", ".."), ("a-b", "c"), ("a", "b-c")]
    monkeypatch.setattr(LabelErrors, "pairs", odd)
    found.copy_to("look")
    assert sorted(os.listdir("look")) == [
        ".moderate-export", "a-b-c", "a-b-c-1", "a_b-_", "suspects.csv",
    ]  # fmt: skip


def test_images_in_tar_files_are_unpacked(mixed, shell, tmp_path):
    tarred = tmp_path / "tarred"
    tarred.mkdir()
    for image in sorted(mixed.rglob("*.png")):
        key = "-".join(image.relative_to(mixed).with_suffix("").parts)
        (tarred / f"{key}.png").write_bytes(image.read_bytes())
        (tarred / f"{key}.cls").write_text(image.relative_to(mixed).parts[0])
    assert shell("tar -cf set.tar --sort=name -C tarred .").status == 0
    found = suspects("set.tar", backbone="pixels")
    with pytest.raises(ArgumentError, match="needs images in folders on this machine"):
        found.copy_to("look", link="hard")
    found.copy_to("look")
    assert sorted(os.listdir("look/e-b")) == ["e-more-y.png", "e-y.png"]
    image = (mixed / "e" / "x.png").read_bytes()
    assert (tmp_path / "look" / "e-a" / "e-x.png").read_bytes() == image


def test_an_image_that_is_gone_leaves_no_folder(mixed):
    found = suspects("mixed", backbone="pixels")
    (mixed / "e" / "x.png").unlink()
    with pytest.raises(OutputError, match=r"e/x\.png: cannot be exported"):
        found.copy_to("look")
    assert not os.path.exists("look")


def test_a_list_that_nobody_has_edited_changes_nothing(mixed, moderate):
    assert moderate("suspects", "mixed", "-o", "suspects.csv").status == 0
    done = moderate("select", "mixed", "-r", "0.3", "--labels", "suspects.csv")
    assert done.stderr.splitlines()[0] == "moderate: suspects.csv: all labels are those of DATA"
    assert done.stdout == moderate("select", "mixed", "-r", "0.3").stdout


def test_one_list_has_all_corrections(mixed, moderate):
    first = suspects("mixed", backbone="pixels")
    assert "e/x.png" in first.paths
    with open("one.csv", "w") as file:
        file.write("path,label\ne/x.png,a\na/00.png,\n")
    assert moderate("suspects", "mixed", "--labels", "one.csv", "-o", "two.csv").status == 0
    table = {one["path"]: one for one in rows("two.csv")}
    assert set(table) == {"e/y.png", "e/more/y.png", "e/x.png", "a/00.png"}
    assert list(table["e/x.png"].values()) == ["e/x.png", "e", "", "", "a"]
    assert list(table["a/00.png"].values()) == ["a/00.png", "a", "", "", ""]
    moderate("suspects", "mixed", "--labels", "two.csv", "-o", "three.csv")
    assert rows("three.csv") == rows("two.csv")
    assert moderate("suspects", "mixed", "--labels", "two.csv", "--copy-to", "look").status == 0
    assert {one["path"]: one["file"] for one in rows("look/suspects.csv")}["a/00.png"] == ""


def test_a_list_with_corrections_is_not_replaced(mixed, moderate):
    asked = ("suspects", "mixed", "-o", "s.csv")
    assert moderate(*asked).status == moderate(*asked).status == 0
    plain = Path("s.csv").read_text()
    mine = re.sub(r"^(e/x.png,.*),e$", r"\1,a", plain, flags=re.MULTILINE)
    Path("s.csv").write_text(re.sub(r"^(e/y.png,.*),e$", r"\1,", mine, flags=re.MULTILINE))
    mine = Path("s.csv").read_text()
    done = moderate(*asked)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        "moderate: error: s.csv: has 2 corrections of yours; pass --labels s.csv -o more.csv to"
        " keep them, or choose another file\n"
    )
    Path("s.csv").write_text(mine + "e/x.png\n")
    assert "line 5 has 1 fields instead of 5; correct it" in moderate(*asked).stderr
    Path("s.csv").write_text(mine)
    again = ("suspects", "mixed", "--labels", "s.csv", "-o", "more.csv")
    assert moderate(*again).status == moderate(*again).status == 0  # s.csv has them all
    assert "--labels more.csv" in moderate("suspects", "mixed", "-o", "more.csv").stderr
    assert Path("s.csv").read_text() == mine
    Path("s.csv").write_bytes(b"\xfe\n")  # no list
    assert moderate(*asked).status == 0


def test_an_empty_list_has_nothing_to_correct(mixed, moderate):
    for image in ("x.png", "y.png", "more/y.png"):
        (mixed / "e" / image).unlink()
    done = moderate("suspects", "mixed", "-o", "s.csv")
    assert done.stderr.splitlines()[-1] == "moderate: Wrote 0 images -> s.csv"


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.parametrize("command", ["suspects", "duplicates"])
def test_a_table_on_a_terminal_has_a_header_and_columns(mixed, command, monkeypatch, capfd):
    from moderate_cli.cli import _run

    monkeypatch.setenv("MODERATE_BACKBONE", "pixels")
    out = Terminal(io.BytesIO(), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert _run([command, "mixed"]) == 0
    header, *lines = out.buffer.getvalue().decode().splitlines()
    if command == "suspects":
        assert header == "path          given  seen  probability"
        assert len(lines) == 3
        assert all(line[14:19] == "e    " for line in lines)
    else:
        assert header.split() == ["similarity", "path", "duplicate", "of"]
        values = [float(line.split()[0]) for line in lines]
        assert values == sorted(values, reverse=True)
        assert len(values) > 10


def test_features_without_images_have_no_folder(rng):
    features = rng.normal(size=(40, 3))
    found = suspects(features=features, labels=rng.integers(0, 2, 40), fraction=0.1)
    with pytest.raises(OptionError, match="copy_to needs data"):
        found.copy_to("look")
