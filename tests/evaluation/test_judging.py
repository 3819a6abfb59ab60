import numpy as np

from moderate_cli.evaluation import FULL, Cell, ProbeLearner, judge
from moderate_cli.selection import Choice

BASE = Choice(ratio=1)


def test_cells_are_judged_on_what_they_did_not_see(source):
    labels = source.labels
    cells = [Cell(FULL, "1", "", 0), Cell("moderate", "0.2", "", 0, "0.25")]
    asked = []

    def learn(rows, held_out, seed):
        asked.append((len(rows), seed))
        return np.where(labels[held_out] == 3, 0, labels[held_out])

    found = dict(judge(source, cells, learn, BASE))
    # 19 of 99 are held out, two of them of the last class.
    assert found == {cells[0]: (80, 17 / 19, 0), cells[1]: (16, 17 / 19, 0)}
    assert asked == [(80, 0), (16, 0)]


def test_a_test_set_takes_the_place_of_the_part_held_out(source):
    (data,) = source.sets
    learner = ProbeLearner(data, data)
    ((_, result),) = judge(source, [Cell(FULL, "1", "", 0)], learner, BASE, test=data)
    assert result.images == 80
    assert result.accuracy > 0.9
