import pytest

from moderate_cli.charts.feature_map import LOOKS, MOST_IN_LEGEND, map_chart

POINT = {"x": 0.5, "y": 1.0, "member": 0, "class": "0", "kept": True, "suspect": False, "row": 7}


def chart(classes):
    return map_chart([POINT], list(map(str, range(classes)))).to_dict()


@pytest.mark.parametrize("shown", [True, False])
def test_a_legend_names_few_classes(shown):
    found = chart(MOST_IN_LEGEND if shown else MOST_IN_LEGEND + 1)
    encoding = found["layer"][0]["encoding"]
    assert (encoding["color"]["legend"] is not None) is shown
    assert (encoding["shape"]["legend"] is not None) is shown


def test_no_two_classes_look_the_same():
    encoding = chart(LOOKS)["layer"][0]["encoding"]
    scales = [encoding[channel]["scale"] for channel in ("color", "shape")]
    assert [scale["domain"] for scale in scales] == 2 * [list(map(str, range(LOOKS)))]
    looks = set(zip(*(scale["range"] for scale in scales), strict=True))
    assert len(looks) == LOOKS


def test_points_keep_whatever_they_are_given():
    assert chart(1)["data"] == {"name": "map", "values": [POINT]}
