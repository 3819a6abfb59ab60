import altair as alt
import numpy as np
import pytest

import moderate_cli
from moderate_cli.charts import distribution as module
from moderate_cli.charts import drawing
from moderate_cli.charts.distribution import distribution
from moderate_cli.errors import OutputError

VALUES = np.array([0.1, np.nan, 0.3, 0.3, 1.3])


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(module, "BINS", 2)


def test_scores_alone_have_one_color_and_the_median():
    bars, median = distribution(VALUES, "own score").to_dict()["layer"]
    assert bars["data"]["values"] == [
        {"low": 0.0, "high": 1.0, "images": 3},
        {"low": 1.0, "high": 2.0, "images": 1},
    ]
    assert bars["encoding"]["x"]["title"] == "own score"
    assert median["data"]["values"] == [{"low": 0.3}]


def test_kept_images_are_told_from_the_others():
    kept = np.array([True, False, True, False, False])
    bars, *_ = distribution(VALUES, "score", kept).to_dict()["layer"]
    assert bars["data"]["values"] == [
        {"low": 0.0, "high": 1.0, "kept": 2, "dropped": 1, "suspect": 0},
        {"low": 1.0, "high": 2.0, "kept": 0, "dropped": 1, "suspect": 0},
    ]


def test_results_have_charts(embedded):
    options = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
    selection = moderate_cli.select(embedded, ratio=0.5, **options)
    comparison = moderate_cli.evaluate(embedded, ratio=0.5, strategy="easy", seeds=1, **options)
    for chart in (selection.chart(), selection.scores.chart(), comparison.chart()):
        assert isinstance(chart, alt.LayerChart)
        assert "$schema" in chart.to_dict()
    title = selection.scores.chart().to_dict()["layer"][0]["encoding"]["x"]["title"]
    assert title == "distance to the class center"


def test_without_altair_a_line_says_so(monkeypatch):
    monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OutputError, match="chart: needs missing packages"):
        distribution(VALUES, "score")
