"""Images to judge on: features of four classes, and pictures of four levels of gray."""

import math

import numpy as np
import pytest
from conftest import paint

from moderate_cli.api import expecting
from moderate_cli.evaluation import training
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures


@pytest.fixture(autouse=True)
def no_estimates(monkeypatch):
    """On a busy machine even small work may be long enough to be announced."""
    monkeypatch.setattr(expecting, "WORTH_SAYING", math.inf)
    monkeypatch.setattr(training, "seconds_per_training", lambda recipe, judged: 0.0)


@pytest.fixture
def source(rng):
    """A hundred images in four classes, one of them unreadable."""
    labels = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    features = rng.normal(size=(100, 6)) + 3 * np.eye(6)[labels]
    return Source((LabeledFeatures(features, labels, np.arange(100) != 7),))


@pytest.fixture
def grays(tmp_path):
    """Four classes of gray levels that overlap a little."""
    for label, name in enumerate("abcd"):
        for image in range(20):
            paint(tmp_path / "grays" / name / f"{image:02}.png", 50 * label + 3 * image)
    return tmp_path / "grays"
