import math

import pytest

from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.estimates import Estimate, estimate, smallest_within, summarize


def test_estimates_can_be_worked_out_by_hand():
    # Standard deviation 0.1, of three: 4.303 * 0.1 / sqrt(3).
    assert estimate([0.6, 0.5, 0.7], 0.0) == Estimate(0.6, round(0.4303 / math.sqrt(3), 12))
    assert estimate([0.6, 0.5, 0.7], 1.0) == estimate([0.6, 0.5, 0.7], 0.0)
    for few in ([0.6], [0.6, 0.5]):
        assert math.isnan(estimate(few, 0.0).half)
    # Variance 0.01 * 8 / 7, of eight: 1/8, and half of 1/5 - 1/8.
    assert estimate([0.5, 0.7] * 4, 0.5).half == pytest.approx(
        2.365 * math.sqrt(0.01 * 8 / 7 * (0.125 + 0.0375))
    )


def test_differences_are_between_equal_pools():
    results = {}
    for seed, (full, random, easy) in enumerate(
        [(0.9, 0.7, 0.8), (0.8, 0.6, 0.5), (0.7, 0.5, 0.5)]
    ):
        results[Cell(FULL, "1", "", seed)] = Result(80, full, 0.5)
        results[Cell("random", "0.1", "", seed)] = Result(8, random, 0.25)
        results[Cell("easy", "0.1", "auto", seed)] = Result(8, easy, 0.125)
    full, random, easy = summarize(results, held_out=True)
    assert easy.cell == Cell("easy", "0.1", "auto", 0)
    assert easy.to_random.mean == 0
    assert easy.to_random.half == pytest.approx(4.303 * 0.1 / math.sqrt(3))
    assert random.to_full == Estimate(-0.2, 0)
    assert full.to_full == Estimate(0, 0)
    assert smallest_within([full, random, easy], 0.1) is None
    assert smallest_within([full, random, easy], 0.2) is random
