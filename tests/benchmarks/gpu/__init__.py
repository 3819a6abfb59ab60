"""A machine with a GPU and many cores, measured in three minutes without an installation.

PYTHONPATH=. python -m tests.benchmarks gpu [--seconds S] [--images N] [--json FILE]
"""
