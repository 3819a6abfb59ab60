"""Stands in for MLflow: takes the calls of the recipe, and checks them."""

from contextlib import nullcontext
from pathlib import Path

start_run = nullcontext


def log_artifact(local_path):
    assert Path(local_path).is_file()


def log_params(params):
    assert params["ratio"] == "0.3"
