"""Images in the rows of tables: Parquet, and the folders that `save_to_disk` writes."""

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from tables import read_saved, rows_of, save, table_of, write_shards

from moderate_cli import embed, export, scan
from moderate_cli.dataset import groups, sentences, table_files, tables
from moderate_cli.dataset.table_files import _Parquet
from moderate_cli.embedding.engines import batches
from moderate_cli.errors import ArgumentError, DatasetError

PIXELS = {"backbone": "pixels"}
CARD = """---
license: cc0-1.0
dataset_info:
- config_name: default
  splits:
  - name: train
    num_examples: 8
configs:
- config_name: default
---
# Animals
dataset_info: is read
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of the test, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table(data):
    """The images of `data`, as a table."""
    return table_of(rows_of(data))


@pytest.fixture
def hub(table, tmp_path):
    """A repository as on the hub: three files to train on, one to test."""
    write_shards(tmp_path / "hub" / "data", table, 3)
    write_shards(tmp_path / "hub" / "data", table.slice(0, 6), 1, "test")
    (tmp_path / "hub" / "README.md").write_text(CARD)
    return tmp_path / "hub"


def kinds(table, folder):
    """Write a table in each way; yield the names."""
    parquet.write_table(table, folder / "one.parquet")
    yield "one.parquet"
    plain = {"image": table["image"].combine_chunks().field("bytes"), "label": table["label"]}
    parquet.write_table(pyarrow.table(plain), folder / "plain.parquet")
    yield "plain.parquet"
    write_shards(folder / "shards", table, 2)
    yield from ("shards", "shards/train-*.parquet")
    write_shards(folder / "repo" / "data", table, 3)
    yield "repo"
    save(folder / "saved", table, 2)
    yield "saved"


def test_each_table_is_the_dataset_that_its_folders_are(data, table, tmp_path):
    folders = scan(data)
    features = embed(folders, **PIXELS).features
    for name in kinds(table, tmp_path):
        found = scan(name)
        names = ("0", "1", "2") if name == "plain.parquet" else folders.classes
        assert (name, found.classes) == (name, names)
        assert found.labels.tolist() == folders.labels.tolist()
        store = embed(found, **PIXELS)
        assert np.array_equal(store.features, features)
        assert store.folder.parent.parent in (tmp_path, tmp_path / "shards")  # beside it
        assert embed(found, **PIXELS).folder == store.folder


def test_names_are_of_file_and_row(hub):
    dataset = scan("hub/train")
    assert list(dataset.paths) == [
        f"data/train-0000{file}-of-00003.parquet#{row}"
        for file, count in enumerate((2, 3, 3))
        for row in range(count)
    ]
    assert dataset.home == hub / "train"
    assert dataset.listed.rows.tolist() == list(range(8))
    assert pickle.loads(pickle.dumps(dataset.source)) == dataset.source


def test_splits_are_chosen_as_splits_are_elsewhere(hub, table, moderate, tmp_path):
    save(tmp_path / "saved" / "train", table)
    save(tmp_path / "saved" / "test", table)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    said = moderate("select", "hub", "--ratio", "1").stderr
    assert (
        "hub: contains splits (train, test), not classes; pass one of them, e.g. hub/train" in said
    )
    said = moderate("select", "saved", "--ratio", "1").stderr
    assert "saved: contains splits (train, test); pass one of them, e.g. saved/train" in said
    said = moderate("select", "hub/vla", "--ratio", "1").stderr
    assert "hub/vla: split 'vla' is unknown; choose one of train, test" in said
    for args in (("hub", "--split", "train"), ("saved", "--split", "train"), ("hub/train",)):
        assert len(moderate("select", *args, "--ratio", "1").stdout.split()) == 8
    assert len(scan("hub/test")) == 6
    assert (
        "--split 'vla' is unknown" in moderate("select", "hub", "--split", "vla", "-r", "1").stderr
    )


def test_the_only_split_has_a_name_too(table, moderate):
    write_shards(Path("only/data"), table, 2)
    for args in (("only",), ("only/train",), ("only", "--split", "train")):
        assert len(moderate("select", *args, "--ratio", "1").stdout.split()) == 8
    assert "No such file" in moderate("select", "only/test", "--ratio", "1").stderr
    done = moderate("select", "only", "--split", "train", "--count", "3", "--copy-to", "small")
    assert done.status == 0, done.stderr
    assert len(scan("small")) == 3


def test_the_only_split_of_a_saved_dataset_is_taken(table, moderate, tmp_path):
    save(tmp_path / "saved" / "train", table)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    done = moderate("select", "saved", "--count", "3", "--copy-to", "small")
    assert done.status == 0, done.stderr
    assert len(read_saved(tmp_path / "small")) == len(scan("small")) == 3
    assert os.path.isdir("saved.moderate")
    assert "images in" not in moderate("info", "saved").stdout


def test_rows_of_a_copy_are_as_they_were(hub, table):
    kept = [0, 3, 7]
    mask = np.isin(np.arange(8), kept)
    export("hub/train", mask, "part")
    files = sorted(os.listdir("part/data"))
    assert files == [f"train-0000{at}-of-00003.parquet" for at in range(3)]
    found = pyarrow.concat_tables(parquet.read_table(f"part/data/{name}") for name in files)
    assert found.equals(table.take(kept))
    assert found.schema.metadata == table.schema.metadata
    column = parquet.ParquetFile(f"part/data/{files[0]}").metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert len(scan("part")) == 3
    # A file of which no row is kept is left out.
    export("hub/train", np.arange(8) < 2, "few")
    assert os.listdir("few/data") == files[:1]


def test_a_saved_dataset_is_copied_as_one(table):
    save(Path("saved"), table, 2)
    export("saved", np.isin(np.arange(8), [1, 2, 6]), "part")
    assert read_saved(Path("part")).equals(table.take([1, 2, 6]))
    one, other = (json.loads(Path(name, "state.json").read_text()) for name in ("saved", "part"))
    assert one.pop("_fingerprint") != other.pop("_fingerprint")  # which names cached results
    assert one == other


def test_a_copy_of_a_split_has_all_else(hub, moderate):
    done = moderate("select", "hub", "--split", "train", "--count", "3", "--copy-to", "small")
    assert done.stderr.startswith("moderate: Kept 3 of 8 images in 3 classes ")
    assert " with moderate, and all else in hub -> small\n" in done.stderr
    assert len(scan("small/train")) == 3
    assert (hub / "data" / "test-00000-of-00001.parquet").read_bytes() == (
        hub.parent / "small" / "data" / "test-00000-of-00001.parquet"
    ).read_bytes()
    # load_dataset would refuse files of other sizes than the card says.
    block = CARD[CARD.index("dataset_info:") : CARD.index("configs:")]
    assert (hub.parent / "small" / "README.md").read_text() == CARD.replace(block, "")
    assert (hub / "README.md").read_text() == CARD


def test_kept_rows_are_those_of_the_table(table, moderate):
    rows = [0, 5, 6, 1, 2, 3, 4, 7]
    parquet.write_table(table.take(rows), "t.parquet", row_group_size=3)
    moderate("select", "t.parquet", "--count", "4", "-o", "kept.npy")
    moderate("select", "t.parquet", "--count", "4", "-o", "kept.parquet")
    kept = np.load("kept.npy").tolist()
    assert len(kept) == 4
    assert parquet.read_table("kept.parquet").equals(table.take([rows[row] for row in kept]))
    lines = moderate("select", "t.parquet", "--count", "4").stdout.split()
    assert lines == [f"t.parquet#{row}" for row in kept]


def test_a_published_selection_is_verified(hub, moderate):
    moderate("select", "hub/train", "--count", "4", "-o", "kept.json")
    assert moderate("verify", "kept.json", "hub/train").status == 0
    path = hub / "data" / "train-00000-of-00003.parquet"
    parquet.write_table(parquet.read_table(path).take([1, 0]), path)
    assert moderate("verify", "kept.json", "hub/train").status == 1


def test_every_command_takes_tables(hub, moderate):
    for args in (
        ("embed", "hub/train"),
        ("score", "hub/train"),
        ("suspects", "hub/train"),
        ("duplicates", "hub/test", "--against", "hub/train"),
        ("evaluate", "hub/train", "--test", "hub/test", "-r", "0.5", "--strategy", "random"),
        ("info", "hub/train"),
        ("info", "hub/data/train-*.parquet"),
    ):
        if args[-1].endswith("*.parquet"):
            moderate("embed", args[-1])
        assert moderate(*args).status == 0, args
    assert "perturb" in moderate("perturb", "hub/train", "noisy", "--ratio", "0.5").stderr


def test_rows_without_a_class_are_left_out(data):
    rows = rows_of(data)
    parquet.write_table(table_of([*rows[:2], (rows[2][0], "?"), *rows[3:]]), "t.parquet")
    dataset = scan("t.parquet")
    assert len(dataset) == 7
    assert dataset.listed.rows.tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert [str(one) for one in sentences(dataset)] == ["ignored 1 row without a class"]
    parquet.write_table(table_of([(content, "?") for content, _ in rows]), "t.parquet")
    assert len(scan("t.parquet")) == 8  # a test set, say; it can be clustered
    assert not scan("t.parquet").listed.labeled


def test_a_number_that_int64_cannot_hold_is_a_class_as_it_is(data, tmp_path):
    labels = pyarrow.array([2**64 - 1 - number % 2 for number in range(8)], pyarrow.uint64())
    table = table_of(rows_of(data)).drop_columns("label").append_column("label", labels)
    parquet.write_table(table.replace_schema_metadata(), tmp_path / "t.parquet")
    found = scan(tmp_path / "t.parquet")
    assert found.classes == ("18446744073709551614", "18446744073709551615")
    assert np.bincount(found.labels).tolist() == [4, 4]


def test_columns_are_found_and_named(table):
    coarse = pyarrow.array(list("aabbaabb"))
    other = table.rename_columns(["img", "fine_label"]).append_column("coarse_label", coarse)
    parquet.write_table(other, "t.parquet")
    assert scan("t.parquet").classes == ("0", "1", "2")
    assert scan("t.parquet", label_column="coarse_label").classes == ("a", "b")
    assert len(scan("t.parquet", path_column="img")) == 8


def test_a_table_that_changed_is_read_anew(table, moderate):
    parquet.write_table(table, "t.parquet")
    dataset = scan("t.parquet")
    first = embed(dataset, **PIXELS).features
    parquet.write_table(table.take(np.arange(8)[::-1].copy()), "t.parquet")
    name = f"{dataset.root}/{dataset.paths[0]}"
    assert dataset.source.stat(name) == (-1, -1, -1, -1)
    assert np.array_equal(embed(scan("t.parquet"), **PIXELS).features, first[::-1])
    with pytest.raises(DatasetError, match="has changed since it was listed; run again"):
        export(dataset, np.ones(8, dtype=bool), "copy")
    assert not os.path.exists("copy")


def test_few_groups_are_kept_in_memory(hub, monkeypatch, counted):
    dataset = scan("hub/train")
    kept = groups.Groups()
    monkeypatch.setattr(groups, "MOST", 0)
    monkeypatch.setattr(tables, "_GROUPS", kept)
    opened, reads = counted(tables, "opened"), counted(_Parquet, "group")
    for path in dataset.paths:
        dataset.source.read(f"{dataset.root}/{path}")
    assert len(reads) == 5  # one for each group of one or two rows
    assert (len(opened), len(kept._kept)) == (3, 1)


def test_a_large_row_group_is_read_in_parts(table, data, monkeypatch):
    monkeypatch.setattr(table_files, "LARGEST", 300)
    parquet.write_table(table, "t.parquet")  # of one row group
    dataset, images = scan("t.parquet"), [content for content, _ in rows_of(data)]
    (shard,) = dataset.source.shards.values()
    assert len(shard.starts) > 3
    order = [0, 1, 5, 2, 7, 3, 4, 6, 0]  # also back
    found = [dataset.source.read(f"{dataset.root}/t.parquet#{row}")[0] for row in order]
    assert found == [images[row] for row in order]
    export(dataset, np.arange(8) % 3 > 0, "copy")
    rest = table.filter(pyarrow.array(np.arange(8) % 3 > 0))
    assert parquet.read_table("copy/t.parquet").equals(rest)


def test_a_process_reads_only_the_files_of_its_images(hub):
    dataset = scan("hub/train")
    part = dataset.part(np.array([6, 7]))
    assert [os.path.basename(file) for file in part.source.shards] == [
        "train-00002-of-00003.parquet"
    ]
    assert part.source.read(f"{part.root}/{part.paths[1]}") == dataset.source.read(
        f"{dataset.root}/{dataset.paths[7]}"
    )


def test_features_survive_new_rows(table, counted):
    parquet.write_table(table, "t.parquet")
    embed(scan("t.parquet"), **PIXELS)
    parquet.write_table(table.slice(2), "t.parquet")
    made = counted(batches, "embed_blocks")
    assert len(embed(scan("t.parquet"), **PIXELS)) == 6
    assert not made or not sum(len(rows) for _, rows in made[0][1])


def test_images_that_cannot_be_read_are_named(table, moderate):
    images = table["image"].to_pylist()
    images[2] = None
    images[4] = {"bytes": b"<svg/>", "path": None}
    column = pyarrow.array(images, table.schema.field("image").type)
    parquet.write_table(table.set_column(0, "image", column), "t.parquet")
    said = moderate("select", "t.parquet", "--ratio", "1").stderr
    assert "t.parquet#2: its row has no image" in said
    done = moderate("select", "t.parquet", "--ratio", "1", "--on-error", "skip")
    assert len(done.stdout.split()) == 6


def wrong(table):
    """Name of a file or folder -> how to write it, options, and the error."""
    plain, image = table.drop_columns("image"), table.schema.field("image").type
    paths = [{"bytes": None, "path": f"/x/{at}.png"} for at in range(8)]
    lists = pyarrow.array([[1, 2]] * 8)
    yield "no", plain, {}, "has no column of paths (its columns: label); name it"
    yield (
        "paths",
        table.set_column(0, "image", pyarrow.array(paths, image)),
        {},
        ("its images are files elsewhere, such as /x/0.png; save it with the bytes of the images"),
    )
    joined = pyarrow.array(["cat", "dog", "cat|dog", "dog"] * 2)
    yield (
        "joined",
        table.set_column(1, "label", joined),
        {},
        "has several labels in a cell (cat|dog); an image has one class here",
    )
    several = table.set_column(1, "label", lists)
    yield (
        "several",
        several,
        {"label_column": "label"},
        ("column label has several values in a row; an image has one class here, so pass"),
    )
    yield "x", table, {"label_column": "x"}, "--label-column 'x' is unknown"
    yield "y", table, {"path_column": "label"}, "column image has struct"
    yield "empty", table.slice(0, 0), {}, "has no rows; name tables of images"


def test_wrong_tables_are_refused_in_a_line(table):
    for name, content, options, message in wrong(table):
        parquet.write_table(content, f"{name}.parquet")
        with pytest.raises(DatasetError) as error:
            scan(f"{name}.parquet", **options)
        assert message in str(error.value), name
        assert "\n" not in str(error.value)


def test_damaged_files_are_refused_in_a_line(table, hub, tmp_path):
    path = hub / "data" / "train-00001-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=r"00001-of-00003.parquet: is not Parquet, or not all"):
        scan("hub/train")
    save(tmp_path / "saved", table)
    stream = tmp_path / "saved" / "data-00000-of-00001.arrow"
    whole = stream.read_bytes()
    for content in (whole[:-8], whole[:-300], b"", b"junk" * 99):
        stream.write_bytes(content)
        with pytest.raises(DatasetError, match="is not an Arrow stream, or not all of it"):
            scan("saved")
    stream.unlink()
    with pytest.raises(DatasetError, match=r"-of-00001\.arrow: No such file or directory; name a"):
        scan("saved")
    for state in ("{", "[]", '{"_data_files": [{"filename": "../x.arrow"}]}'):
        (tmp_path / "saved" / "state.json").write_text(state)
        with pytest.raises(DatasetError, match=r"state\.json: is not"):
            scan("saved")


def test_an_image_in_a_damaged_page_is_named(table, moderate):
    parquet.write_table(table, "t.parquet", row_group_size=4, use_dictionary=False)
    start = parquet.ParquetFile("t.parquet").metadata.row_group(1).column(0).data_page_offset
    content = bytearray(Path("t.parquet").read_bytes())
    content[start : start + 40] = b"\xff" * 40
    Path("t.parquet").write_bytes(content)
    refused = moderate("select", "t.parquet", "--ratio", "1")
    assert "t.parquet#4: " in refused.stderr
    assert "is not Parquet, or not all of it" in refused.stderr
    assert len(moderate("score", "t.parquet", "--on-error", "skip").stdout.split("\n")) == 5


def test_tables_without_images_beside_class_folders_are_no_dataset(data, table):
    parquet.write_table(table.drop_columns("image"), data / "labels.parquet")
    (data / "broken.parquet").write_bytes(b"PAR1")
    assert scan(data).classes == ("cat", "dog", "owl")
    with pytest.raises(DatasetError, match="no Parquet file has such a name"):
        scan("nothing-*.parquet")


def test_options_that_do_not_fit_tables_are_refused(table):
    parquet.write_table(table, "t.parquet")
    with pytest.raises(DatasetError, match="--label-pattern has no effect"):
        scan("t.parquet", label_pattern="cat")
    with pytest.raises(ArgumentError, match="needs images in folders, not in tables"):
        export("t.parquet", np.ones(8, dtype=bool), "copy", link="hard")


def test_without_pyarrow_the_line_says_how_to_install_it(table, data, monkeypatch):
    parquet.write_table(table, "t.parquet")
    parquet.write_table(table, data / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DatasetError, match=r"pip install 'moderate-cli\[parquet\]'"):
        scan("t.parquet")
    assert len(scan(data)) == 8  # class folders need none


def test_a_table_of_objects_is_refused_where_classes_are_needed(table, moderate):
    boxes = pyarrow.array([{"bbox": [0, 0, 1, 1], "category": 3}] * 8)
    parquet.write_table(table.set_column(1, "objects", boxes), "t.parquet")
    refused = moderate("select", "t.parquet", "--ratio", "1")
    assert refused.stderr == (
        "moderate: error: t.parquet: looks like a table of several labels (objects), where an image"
        " has several labels, not one class; use --labels kmeans:K to cluster the images, or"
        " --features with --labels, or --scores\n"
    )
    assert moderate("duplicates", "t.parquet").status == 0
