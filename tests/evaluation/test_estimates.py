import math

import pytest

from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.estimates import Estimate, estimate, smallest_within, summarize


def test_estimates_can_be_worked_out_by_hand():
    # Standard deviation 0.1, of three: 4.303 * 0.1 / sqrt(3).
    assert estimate([0.6, 0.5, 0.7]) == Estimate(0.6, round(0.4303 / math.sqrt(3), 12))
    assert math.isnan(estimate([0.6]).half)


def test_differences_are_between_equal_pools():
    results = {}
    for seed, (full, random, easy) in enumerate([(0.9, 0.7, 0.8), (0.8, 0.6, 0.5)]):
        results[Cell(FULL, "1", "", seed)] = Result(80, full, 0.5)
        results[Cell("random", "0.1", "", seed)] = Result(8, random, 0.25)
        results[Cell("easy", "0.1", "auto", seed)] = Result(8, easy, 0.125)
    full, random, easy = summarize(results)
    assert easy.cell == Cell("easy", "0.1", "auto", 0)
    assert easy.to_random.mean == 0
    assert easy.to_random.half == pytest.approx(12.706 * 0.1)
    assert random.to_full == Estimate(-0.2, 0)
    assert full.to_full == Estimate(0, 0)
    assert smallest_within([full, random, easy], 0.1) is None
    assert smallest_within([full, random, easy], 0.2) is random
