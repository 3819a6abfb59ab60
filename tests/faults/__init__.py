"""Faults on purpose: what is lost where a run is killed, starved, raced or fed damaged files.

python -m tests.faults [SCENARIO ...] [--times N]
"""
