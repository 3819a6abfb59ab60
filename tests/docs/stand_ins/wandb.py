"""Stands in for Weights & Biases: takes the calls of the recipe, and checks them."""

from pathlib import Path


class _Run:
    def log_artifact(self, artifact_or_path, *, name, type):
        assert Path(artifact_or_path).is_file()

    def finish(self):
        pass


def init(*, project):
    return _Run()
