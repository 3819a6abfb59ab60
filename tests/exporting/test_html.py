from moderate_cli.exporting.html import MOST, html_table
from moderate_cli.exporting.tables import Table


def test_names_are_escaped_and_numbers_are_as_in_text():
    text = html_table("a & b", Table(("<path>", "share"), [("<script>\x1b", 0.5), ("b", None)]))
    assert text == (
        '<table><caption style="text-align: left">a &amp; b</caption>\n'
        "<thead><tr><th>&lt;path&gt;</th><th>share</th></tr></thead><tbody>\n"
        "<tr><td>&lt;script&gt;\\x1b</td><td>0.500000</td></tr>\n"
        "<tr><td>b</td><td></td></tr>\n"
        "</tbody></table>"
    )


def test_long_tables_are_cut_and_say_so():
    text = html_table("found", Table(("n",), [(n,) for n in range(MOST + 5)]))
    assert text.count("<td>") == MOST
    assert f"found; the first {MOST} of {MOST + 5}" in text
