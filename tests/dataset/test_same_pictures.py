"""The same pictures, given in each way, have the same features and the same selection."""

import io
import json
import tarfile

import numpy as np
import pyarrow
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from picture_files import encode, photo
from pyarrow import parquet
from tables import rows_of, save, table_of, write_shards

from moderate_cli import embed, scan, select

CLASSES = ("cat", "dog", "owl")
EMBEDDING = {"backbone": "pixels", "dtype": "float32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Class folders with photos in several formats."""
    root = tmp_path_factory.mktemp("same")
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (root / "train" / name).mkdir(parents=True)
        for at in range(6):
            suffix, kind = (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"))[at % 3]
            picture = encode(photo(rng), kind)
            (root / "train" / name / f"{name}_{at}.{suffix}").write_bytes(picture)
    return root / "train"


def rows(folder):
    return [f"{path.parent.name}/{path.name}" for path in sorted(folder.glob("*/*"))]


def as_csv(folder, tmp):
    lines = [f"{path},{path.split('/')[0]}" for path in reversed(rows(folder))]
    (tmp / "l.csv").write_text("\n".join(["path,label", *lines]))
    return scan(tmp / "l.csv", images=folder)


def as_jsonl(folder, tmp):
    lines = [json.dumps({"file_name": path, "label": path[:3]}) for path in rows(folder)]
    (tmp / "l.jsonl").write_text("\n".join(lines))
    return scan(tmp / "l.jsonl", images=folder)


def as_parquet_list(folder, tmp):
    paths = rows(folder)
    table = pyarrow.table({"path": paths, "label": [path[:3] for path in paths]})
    parquet.write_table(table, tmp / "l.parquet")
    return scan(tmp / "l.parquet", images=folder)


def as_parquet(folder, tmp):
    write_shards(tmp / "shards", table_of(rows_of(folder)), 3, group=4)
    return scan(tmp / "shards")


def as_saved(folder, tmp):
    save(tmp / "saved", table_of(rows_of(folder)), 2, group=5)
    return scan(tmp / "saved")


def as_flat(folder, tmp):
    (tmp / "flat").mkdir()
    for path in folder.glob("*/*"):
        (tmp / "flat" / path.name).write_bytes(path.read_bytes())
    return scan(tmp / "flat", label_pattern=r"^([a-z]+)_\d")


def as_tar(folder, tmp):
    with tarfile.open(tmp / "l.tar", "w") as tar:
        for path in rows(folder):
            key = path.partition(".")[0]
            members = ((path, (folder / path).read_bytes()), (f"{key}.cls", path[:3].encode()))
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return scan(tmp / "l.tar")


class Bucket(MemoryFileSystem):
    """A file system in memory, with the names of S3."""

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("s3:/"))


def as_s3(folder, tmp):
    bucket = Bucket()
    for path in rows(folder):
        bucket.pipe_file(f"/bucket/train/{path}", (folder / path).read_bytes())
    return scan("s3://bucket/train")


def as_s3_parquet(folder, tmp):
    write_shards(tmp / "shards", table_of(rows_of(folder)), 2, group=4)
    bucket = Bucket()
    for path in (tmp / "shards").iterdir():
        bucket.pipe_file(f"/bucket/tables/{path.name}", path.read_bytes())
    return scan("s3://bucket/tables")


WAYS = (
    as_csv, as_jsonl, as_parquet_list, as_parquet, as_saved, as_flat, as_tar, as_s3, as_s3_parquet,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_same_pictures_give_the_same_selection(folder, tmp_path, monkeypatch, way):
    monkeypatch.setattr(Bucket, "store", {})
    for module in ("remote", "tables"):
        monkeypatch.setattr(f"moderate_cli.dataset.{module}.file_system", lambda _: Bucket())
    dataset, folders = way(folder, tmp_path), scan(folder)
    assert dataset.classes == CLASSES
    assert dataset.labels.tolist() == folders.labels.tolist()
    own = {**EMBEDDING, "store": tmp_path / "store"}
    found, known = embed(dataset, **own), embed(folders, **EMBEDDING)
    assert np.array_equal(found.features, known.features)
    for strategy in ("moderate", "adaptive", "random"):
        one, other = (
            select(some, ratio=0.5, strategy=strategy, **options)
            for some, options in ((dataset, own), (folders, EMBEDDING))
        )
        assert one.rows.tolist() == other.rows.tolist(), strategy
