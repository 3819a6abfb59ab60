import json

import pytest

from moderate_cli import ModerateError
from moderate_cli.exporting.manifests import Record, write_manifest

RECORDS = [
    Record("cat/1.jpg", "cat", "train", 0.5, True, None),
    Record("dog/\udcff.jpg", "dog", "train", None, False, "unreadable: truncated"),
]


def test_a_manifest_has_an_object_per_line(tmp_path):
    write_manifest(tmp_path / "all.jsonl", iter(RECORDS))
    first, second = (tmp_path / "all.jsonl").read_bytes().splitlines()
    assert first == (
        b'{"path": "cat/1.jpg", "label": "cat", "split": "train", "score": 0.5, "kept": true,'
        b' "reason": null}'
    )
    assert Record(**json.loads(second)) == RECORDS[1]


def test_a_manifest_has_one_format(tmp_path):
    with pytest.raises(ModerateError, match=r"all.csv: unknown suffix; use one of .jsonl"):
        write_manifest(tmp_path / "all.csv", RECORDS)


def test_a_manifest_is_written_whole_or_not_at_all(tmp_path):
    def failing():
        yield RECORDS[0]
        raise ZeroDivisionError

    (tmp_path / "all.jsonl").write_text("before")
    with pytest.raises(ZeroDivisionError):
        write_manifest(tmp_path / "all.jsonl", failing())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("all.jsonl", "before")
    ]
