"""Each fault a few times; `pytest --faults 100`, or `python -m tests.faults`, tries more."""

import numpy as np
import pytest
from faults.__main__ import SCENARIOS
from faults.scenarios import Bench

from moderate_cli.store.blocks import BLOCK_ROWS

IMAGES = BLOCK_ROWS + 80  # two blocks of rows


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_nothing_is_lost(scenario, tmp_path, request):
    times = request.config.getoption("faults") * SCENARIOS[scenario]
    rng = np.random.default_rng(0)
    outcomes = list(scenario(Bench(tmp_path, IMAGES), times, rng))
    assert [outcome for outcome in outcomes if not outcome.lost.startswith("nothing")] == []
    assert sum(outcome.times for outcome in outcomes) > 0  # or no fault struck
