from reports import HOW, subject_of

from moderate_cli.charts.histogram import histogram
from moderate_cli.charts.scores import Band
from moderate_cli.reporting.distribution import band_of, score_bins


def test_bins_count_what_is_kept_and_dropped(small):
    bins = score_bins(small)
    assert sum(one.kept for one in bins) == 4
    assert sum(one.dropped for one in bins) == 5
    by_score = {one.low: (one.kept, one.dropped) for one in bins}
    assert (by_score[3.0], by_score[7.0], by_score[8.0]) == ((1, 0), (0, 1), (0, 1))
    assert band_of(small) == Band(3.0, 6.0)


def test_bins_of_the_chart_are_those_of_the_terminal(small):
    found = histogram(small.scores.values[small.readable], 60)
    assert [one.low for one in score_bins(small)] == found.edges[:-1].tolist()


def test_windows_within_classes_are_not_one_window(tmp_path):
    for how in ({"scope": "class"}, {"strategy": "random"}):
        assert band_of(subject_of(tmp_path, [1, 2, 3], [0, 0, 1], "ab", HOW | how)) is None


def test_the_lowest_scores_are_a_window(tmp_path):
    subject = subject_of(tmp_path, [4, 3, 2, 1], 4 * [0], "a", HOW | {"strategy": "easy"})
    assert band_of(subject) == Band(1.0, 2.0)
