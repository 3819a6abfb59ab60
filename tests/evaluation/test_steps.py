"""How far an evaluation is, step by step."""

import pytest
from listeners import Told

from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.steps import Steps
from moderate_cli.notices import Notice


def test_each_step_of_a_training_is_told():
    moves = []
    counted = Steps(3, Recipe("cnn", 20, 32), Told(evaluate=moves))
    with counted.told():
        for _ in range(3):
            for _ in range(20):
                counted.count()
            counted.finish_cell()
    assert moves == [(0, 60), *((step, 60) for step in range(1, 61))]


def test_a_probe_is_a_step():
    moves = []
    counted = Steps(4, None, Told(evaluate=moves))
    with counted.told():
        for _ in range(4):
            counted.finish_cell()
    assert moves == [(done, 4) for done in range(5)]


@pytest.mark.parametrize(("keeps", "told"), [(True, 1), (False, 0)])
def test_results_that_are_kept_are_told_of_when_the_user_stops(keeps, told):
    notices = []
    counted = Steps(4, None, Told(notice=notices), keeps=keeps)

    def work():
        with counted.told():
            counted.finish_cell()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert notices == [Notice("interrupted evaluation", 1, 4)][:told]
