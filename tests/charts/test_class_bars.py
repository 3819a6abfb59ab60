from moderate_cli.charts.class_bars import MOST_BARS, ClassBar, class_chart


def rows(classes):
    return class_chart(classes).to_dict()["data"]["values"]


def test_the_largest_class_comes_first_and_of_equal_ones_the_first():
    classes = [ClassBar("a", 3, 1), ClassBar("b", 2000, 1500), ClassBar("c", 3, 3)]
    assert rows(classes) == [
        {"name": "b", "images": 2000, "kept": 1500, "text": "1,500 of 2,000"},
        {"name": "a", "images": 3, "kept": 1, "text": "1 of 3"},
        {"name": "c", "images": 3, "kept": 3, "text": "3 of 3"},
    ]


def test_of_many_classes_the_largest_are_shown():
    classes = [ClassBar(str(size), size, 1) for size in range(1, 101)]
    assert [row["images"] for row in rows(classes)] == list(range(100, 100 - MOST_BARS, -1))
