"""Selections to report on, and the data inside a page."""

import json
import re

import numpy as np

from moderate_cli.choosing import Selection
from moderate_cli.choosing.preparing import Prepared
from moderate_cli.dataset import Dataset
from moderate_cli.inputs import Source
from moderate_cli.reporting import Subject
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores
from moderate_cli.selection import Choice
from moderate_cli.selection.leaving import LeftOut
from moderate_cli.selection.selecting import choose_from

HOW = {
    "ratio": "0.5",
    "strategy": "moderate",
    "scope": "global",
    "balance": "proportional",
    "quantile": "0.5",
    "min_per_class": 1,
    "seed": 0,
}


def subject_of(
    tmp_path, values, labels, classes, how=HOW, left_out=(), spared=None, stores=(), **more
):
    """A selection from scores that are given; its features are the scores, twice."""
    values, labels = np.asarray(values, dtype=float), np.asarray(labels)
    paths = tuple(f"{classes[label]}/{row}.png" for row, label in enumerate(labels.tolist()))
    eligible = ~np.isnan(values)
    eligible[list(left_out)] = False
    features = np.stack([values, values], axis=1)
    data = LabeledFeatures(features, labels, ~np.isnan(values), classes, paths, labeling="own")
    choice = Choice(**how)
    kept = choose_from(choice, np.where(eligible, values, np.nan), labels, features)
    reasons = {
        what: LeftOut(np.array(left_out, dtype=int), np.arange(number))
        for what, number in (spared or {}).items()
    }
    selection = Selection(
        Source((data,), dataset=Dataset(tmp_path, tuple(classes), paths, labels), stores=stores),
        choice,
        Scores(values, labels, classes, paths),
        Prepared(eligible, reasons, more.get("duplicates")),
        kept,
    )
    return Subject(selection, **more)


def data_of(page):
    """The data that a page carries."""
    (found,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(found)
