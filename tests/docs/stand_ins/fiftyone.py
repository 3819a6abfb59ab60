"""Stands in for FiftyOne, which needs a database: takes and checks the calls of the recipe."""

from pathlib import Path


class Classification:
    def __init__(self, *, label):
        assert label


class Sample:
    def __init__(self, filepath, tags, **fields):
        assert Path(filepath).is_file()
        assert tags in (["kept"], ["dropped"])
        assert fields.keys() == {"ground_truth", "score", "reason"}


class Dataset:
    def add_samples(self, samples):
        assert len(samples) == 360
