import sys
import types

import numpy as np
import pytest

from moderate_cli.errors import ArgumentError
from moderate_cli.reporting.projection import check_method, project


def test_principal_components_are_drawn_from_a_sample(rng):
    features = np.outer(rng.normal(size=50), [3.0, 0, 4.0])
    found = project(features, np.arange(1, 50), 20)
    assert found.method == "PCA"
    assert (len(found.rows), found.rows.min() > 0, found.rows.max() < 50) == (20, True, True)
    assert np.all(np.diff(found.rows) > 0)
    line = features[found.rows, 0]
    assert np.corrcoef(found.points[:, 0], line)[0, 1] ** 2 == pytest.approx(1)
    wide = project(np.hstack([features, np.zeros((50, 60))]), np.arange(1, 50), 20)
    assert wide.points[:, 0] == pytest.approx(found.points[:, 0])


def test_umap_is_taken_where_it_is_asked_for(monkeypatch, rng):
    class UMAP:
        def __init__(self, random_state, n_jobs):
            assert (random_state, n_jobs) == (5, 1)

        def fit_transform(self, inputs):
            return inputs[:, :2] * 2

    module = types.ModuleType("umap")
    module.UMAP = UMAP
    module.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "umap", module)
    check_method("umap")
    images = rng.random((9, 3))
    found = project(images, np.arange(9), 100, method="umap", seed=5)
    assert (found.method, found.points.min(), found.points.max()) == ("UMAP", 0, 1)
    assert project(images, np.arange(9), 100).method == "PCA"
    assert project(images, np.arange(4), 100, method="umap").method == "PCA"


def test_a_map_that_cannot_be_made_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"map: umap needs a missing package; pip install 'mod"):
        check_method("umap")
    with pytest.raises(ArgumentError, match=r"map: 'tsne' is unknown; choose one of pca, umap"):
        check_method("tsne")
