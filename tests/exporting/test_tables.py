import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.errors import OutputError
from moderate_cli.exporting.tables import TABLE_FORMATS, Table, formatted, table_bytes, write_table

CELLS = st.binary().map(lambda b: b.replace(b"\0", b"_").decode(errors="surrogateescape"))
TABLE = Table(("path", "share", "images"), [("a,b.png", 0.5, 3), ("b.png", None, 4)])


@given(st.lists(st.tuples(CELLS, CELLS, CELLS)))
def test_tables_of_any_bytes_survive(rows):
    table = Table(("one", "two", "three"), rows)
    files = {suffix: io.BytesIO() for suffix in (".csv", ".json")}
    for suffix, file in files.items():
        TABLE_FORMATS[suffix](file, table)
    text = files[".csv"].getvalue().decode(errors="surrogateescape")
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == [list(table.header), *map(list, rows)]
    found = json.loads(files[".json"].getvalue())
    assert found == [dict(zip(table.header, row, strict=True)) for row in rows]


def test_table_formats(tmp_path):
    expected = {
        ".txt": b"a,b.png\t0.500000\t3\nb.png\t\t4\n",
        ".csv": b'path,share,images\n"a,b.png",0.500000,3\nb.png,,4\n',
        ".json": b"""[
 {
  "path": "a,b.png",
  "share": 0.5,
  "images": 3
 },
 {
  "path": "b.png",
  "share": null,
  "images": 4
 }
]
""",
    }
    assert list(TABLE_FORMATS) == list(expected)
    for suffix, content in expected.items():
        write_table(tmp_path / f"t{suffix}", TABLE)
        assert (tmp_path / f"t{suffix}").read_bytes() == content
        assert formatted(TABLE, suffix) == content


@pytest.mark.parametrize(("odd", "what"), [("a\nb", "newline"), ("a\tb", "tab")])
def test_what_would_break_a_line_of_a_table_is_refused(odd, what):
    with pytest.raises(OutputError) as caught:
        table_bytes(Table(("path", "class"), [("a", "b"), ("c", odd)]))
    shown = odd.encode("unicode_escape").decode()
    assert str(caught.value) == f"{shown}: holds a {what}; -o FILE.csv quotes it"


@pytest.mark.parametrize("suffix", sorted(TABLE_FORMATS.keys() - {".txt"}))
def test_a_value_with_a_return_in_it_comes_back(suffix):
    table = Table(("one", "two"), [("a\rb", "c"), ("d", "e\r\n")])
    text = formatted(table, suffix).decode()
    if suffix == ".csv":
        assert text == 'one,two\n"a\rb","c"\n"d","e\r\n"\n'
    else:
        assert [list(row.values()) for row in json.loads(text)] == [["a\rb", "c"], ["d", "e\r\n"]]
