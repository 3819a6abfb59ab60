"""Measure the tables."""

from tests.benchmarks.tables.command import main

main()
