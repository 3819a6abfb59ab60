import numpy as np
from reports import HOW, subject_of

from moderate_cli.charts.histogram import histogram
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting import distribution as module
from moderate_cli.reporting.distribution import class_bins, score_bins


def test_bins_count_what_is_kept_and_dropped(small):
    (bins,) = score_bins(small)
    assert sum(one.kept for one in bins) == 4
    assert sum(one.dropped for one in bins) == 5
    by_score = {one.low: one[2:] for one in bins}
    assert (by_score[3.0], by_score[7.0], by_score[8.0]) == ((1, 0, 0), (0, 1, 0), (0, 1, 0))


def test_suspects_are_counted_apart(tmp_path):
    suspects = Suspects(np.array([0.9, 0.8, 0.1, 0.1]), np.array([1, 1, 1, 0]))
    subject = subject_of(tmp_path, [1, 2, 3, 4], [0, 0, 0, 1], "ab", HOW, suspects=suspects)
    assert subject.kept.tolist() == [False, True, False, True]
    (bins,) = score_bins(subject)
    assert np.sum([one[2:] for one in bins], axis=0).tolist() == [1, 1, 2]


def test_bins_of_the_chart_are_those_of_the_terminal(small):
    found = histogram(small.scores.values[small.readable], 60)
    (bins,) = score_bins(small)
    assert [one.low for one in bins] == found.edges[:-1].tolist()


def test_bins_of_classes_add_up_to_those_of_all(small, monkeypatch):
    (bins,) = score_bins(small)
    table = np.zeros((len(bins), 3), dtype=int)
    for of_class in class_bins(small).values():
        for at, *counts in of_class:
            table[at] += counts
    assert table.tolist() == [list(one[2:]) for one in bins]
    monkeypatch.setattr(module, "MOST_CLASSES", 1)
    assert list(class_bins(small)) == [1]  # the largest
    assert sum(sum(counts) for _, *counts in class_bins(small)[1]) == 5
