from moderate_cli.charts.scores import Band, Bin, score_chart

BINS = [Bin(0.0, 1.0, 2, 3), Bin(1.0, 2.0, 0, 1)]


def test_the_chart_has_the_bins_the_band_and_the_median():
    chart = score_chart(BINS, Band(0.2, 0.9), 0.75, "margin score").to_dict()
    assert [layer["data"] for layer in chart["layer"]] == [
        {"name": "band", "values": [{"low": 0.2, "high": 0.9}]},
        {"name": "bins", "values": [
            {"low": 0.0, "high": 1.0, "kept": 2, "dropped": 3},
            {"low": 1.0, "high": 2.0, "kept": 0, "dropped": 1},
        ]},
        *2 * [{"name": "median", "values": [{"low": 0.75, "text": "median"}]}],
    ]  # fmt: skip
    assert chart["layer"][1]["encoding"]["x"]["title"] == "margin score"


def test_without_a_window_there_is_no_band():
    layers = score_chart(BINS, None, 0.75, "score").to_dict()["layer"]
    assert [layer["data"]["name"] for layer in layers] == ["bins", "median", "median"]
