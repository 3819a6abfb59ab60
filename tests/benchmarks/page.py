"""The page of results, whose tables the benchmarks write."""

from pathlib import Path

import click

PAGE = Path(__file__).parent / "results" / "README.md"

write_option = click.option("--write", is_flag=True, help="Write the table to the page of results.")
