"""Charts of an evaluation: dots for one or two ratios, curves for more."""

from itertools import pairwise

import pytest

from moderate_cli.charts.curves import Point, _labels, _values, curves, draw_curves
from moderate_cli.charts.drawing import REFERENCE


def points(*ratios, filters=("off",)):
    full = [Point("full set", name, 1.0, 100, 80.0, 1.0, full=True) for name in filters]
    return full + [
        Point(strategy, name, ratio, 30, accuracy + 10 * ratio, 2.0)
        for ratio in ratios
        for name in filters
        for strategy, accuracy in (("adaptive", 75.0), ("random", 70.0), ("moderate", 69.0))
    ]


def marks(chart):
    return [
        layer["mark"]["type"] if isinstance(layer["mark"], dict) else layer["mark"]
        for layer in chart.to_dict()["layer"]
    ]


@pytest.mark.parametrize(
    ("ratios", "has_curves"), [((0.3,), False), ((0.1, 0.3), False), ((0.1, 0.3, 0.5), True)]
)
def test_one_or_two_ratios_are_dots_and_three_are_curves(ratios, has_curves):
    found = marks(curves(points(*ratios)))
    assert ("line" in found) == ("area" in found) == has_curves
    assert "point" in found


def test_rows_of_dots_are_sorted_by_accuracy_and_name_their_ratio_if_there_are_two():
    def rows(*ratios):
        layers = curves(points(*ratios)).to_dict()["layer"]
        return next(
            layer["encoding"]["y"]["sort"]
            for layer in layers
            if "sort" in layer["encoding"].get("y", {})
        )

    assert rows(0.3) == ["adaptive", "random", "moderate"]
    assert rows(0.1, 0.3) == [
        "adaptive, 0.1", "random, 0.1", "moderate, 0.1",
        "adaptive, 0.3", "random, 0.3", "moderate, 0.3",
    ]  # fmt: skip


@pytest.mark.parametrize("ratios", [(0.3,), (0.1, 0.3, 0.5)])
def test_random_is_gray_and_nothing_else_is(ratios):
    layers = curves(points(*ratios)).to_dict()["layer"]
    scales = [
        layer["encoding"]["color"]["scale"] for layer in layers if "color" in layer["encoding"]
    ]
    for scale in scales:
        colors = dict(zip(scale["domain"], scale["range"], strict=True))
        assert [name for name, color in colors.items() if color == REFERENCE] == ["random"]


def test_a_title_says_what_was_compared():
    title = curves(points(0.3), ["data/train, 100 images"]).to_dict()["title"]
    assert title["text"] == "Accuracy of a classifier trained on each selection"
    assert title["subtitle"] == ["data/train, 100 images"]
    assert "subtitle" not in curves(points(0.3)).to_dict()["title"]


def test_names_at_the_ends_of_lines_do_not_overlap():
    ends = [Point(name, "off", 0.5, 30, accuracy, 0.0) for name, accuracy in
            (("a", 70.0), ("b", 70.1), ("c", 70.2), ("d", 79.0))]  # fmt: skip
    placed = sorted(one["place"] for one in _labels([_values(one) for one in ends], [], 10.0))
    gaps = [other - one for one, other in pairwise(placed)]
    assert min(gaps) > 0.54  # of a span of 10
    assert placed[-1] == 79.0


def test_selections_without_suspects_are_named():
    names = [
        _values(Point("random", name, 0.3, 9, 50.0, 1.0))["way"] for name in ("off", "auto", "0.1")
    ]
    assert names == ["random", "random without suspects", "random without suspects (0.1)"]


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_points_give_the_same_picture(tmp_path, suffix):
    for name in ("one", "other"):
        draw_curves(tmp_path / f"{name}.{suffix}", points(0.1, 0.3, 0.5, filters=("off", "auto")))
    one, other = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "other"))
    assert one == other
