"""Exporting: selections as index files and folders, results as tables."""

from moderate_cli.exporting.index import (
    INDEX_FORMATS,
    index_bytes,
    index_formats,
    write_index,
)
from moderate_cli.exporting.links import LINKS
from moderate_cli.exporting.manifests import MANIFEST_FORMATS, write_manifest
from moderate_cli.exporting.scores import SCORE_FORMATS, score_lines, write_scores
from moderate_cli.exporting.suffixes import check_output
from moderate_cli.exporting.tables import TABLE_FORMATS, Table, formatted, table_bytes, write_table

__all__ = [
    "INDEX_FORMATS",
    "LINKS",
    "MANIFEST_FORMATS",
    "SCORE_FORMATS",
    "TABLE_FORMATS",
    "Table",
    "check_output",
    "formatted",
    "index_bytes",
    "index_formats",
    "score_lines",
    "table_bytes",
    "write_index",
    "write_manifest",
    "write_scores",
    "write_table",
]
