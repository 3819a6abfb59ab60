from moderate_cli.charts.scores import Bin, score_chart

BINS = [Bin(0.0, 1.0, 2, 3, 1), Bin(1.0, 2.0, 0, 1, 0)]


def test_the_chart_has_the_bins_and_the_median_above_them():
    chart = score_chart(BINS, 0.75, "margin score").to_dict()
    assert [layer["data"] for layer in chart["layer"]] == [
        {"name": "bins", "values": [
            {"low": 0.0, "high": 1.0, "kept": 2, "dropped": 3, "suspect": 1},
            {"low": 1.0, "high": 2.0, "kept": 0, "dropped": 1, "suspect": 0},
        ]},
        *2 * [{"name": "median", "values": [{"low": 0.75, "text": "median"}]}],
    ]  # fmt: skip
    bars, _, label = chart["layer"]
    assert bars["encoding"]["x"]["title"] == "margin score"
    assert bars["encoding"]["color"]["scale"]["domain"] == ["kept", "dropped", "suspect"]
    assert (label["mark"]["baseline"], label["mark"]["y"]) == ("bottom", -4)


def test_without_suspects_the_legend_does_not_name_them():
    chart = score_chart([Bin(0.0, 1.0, 2, 3, 0)], 0.75, "score").to_dict()
    assert chart["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["kept", "dropped"]
