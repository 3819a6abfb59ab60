import pytest

from moderate_cli.charts.feature_map import map_chart
from moderate_cli.charts.palette import OTHER, PALETTE

POINT = {"x": 0.5, "y": 1.0, "member": 0, "group": 0, "like": -1, "kept": True, "at": 7}


def chart(groups, **how):
    return map_chart([POINT], list(map(str, range(groups))), **how).to_dict()


@pytest.mark.parametrize("legend", [True, False])
def test_a_legend_is_drawn_unless_the_page_has_its_own(legend):
    encoding = chart(3, legend=legend)["layer"][0]["encoding"]
    assert (encoding["color"]["legend"] is not None) is legend


def test_each_class_has_its_own_color_and_all_others_are_gray():
    found = chart(len(PALETTE) + 1)
    marked, rings = (layer["encoding"]["color"]["scale"] for layer in found["layer"])
    assert marked == rings == {"domain": list(range(21)), "range": [*PALETTE, OTHER]}


def test_points_keep_what_they_are_given():
    assert chart(1)["data"] == {"name": "map", "values": [POINT]}
