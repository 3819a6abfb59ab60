import numpy as np
import pytest
import torch

from moderate_cli.evaluation import training as judging
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.training import Pictures, TrainLearner
from moderate_cli.fitting.dynamics import Dynamics
from moderate_cli.fitting.examples import Examples
from moderate_cli.fitting.learner import Learner, Training
from tests.device_alone import ALONE, Watched, no_autocast

N, SIDE = 24, 16
MEMBERS = np.arange(N) % 3


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Torch knows no autocast of a device without numbers."""
    monkeypatch.setattr(torch, "autocast", no_autocast)


def learner(network, *shape, dtype):
    inputs = torch.zeros(N, *shape, dtype=dtype, device=ALONE)
    examples = Examples(inputs, MEMBERS, 3, np.zeros((N, 16), dtype=np.uint8))
    return Learner(Training(network, SIDE, 1, 1, 0, ALONE), examples, None, lambda *_: None)


@pytest.mark.parametrize(
    ("network", "shape", "dtype"),
    [
        ("cnn", (3, SIDE, SIDE), torch.uint8),
        ("resnet9_narrow", (3, SIDE, SIDE), torch.uint8),
        ("efficientnet_lite0", (2, 192, 7, 7), torch.float16),
    ],
)
def test_no_step_of_a_training_waits_for_numbers_of_the_processor(network, shape, dtype):
    one = learner(network, *shape, dtype=dtype)
    tail, descent = one.begin(0, 4, 8)
    dynamics, rows = Dynamics(N, 10, ALONE), torch.arange(8, device=ALONE)
    with Watched() as watched:
        for _ in range(2):
            one._record(dynamics, 0, rows, one.step(tail, descent, rows))
        one._watch(tail, dynamics, 0, rows)
    assert watched.steps > 100
    assert watched.waits == []


def test_no_step_of_a_judging_network_waits_for_numbers_of_the_processor(monkeypatch):
    monkeypatch.setattr(judging, "find_device", lambda _: ALONE)
    monkeypatch.setattr(judging, "placed", lambda pixels, _: pixels)
    pixels = torch.zeros(N, 3, SIDE, SIDE, dtype=torch.uint8, device=ALONE)
    pictures = Pictures(pixels, MEMBERS, np.ones(N, dtype=bool))
    counts = []
    with Watched() as watched:
        recipe = Recipe(steps=4, size=SIDE)
        one = TrainLearner(pictures, None, recipe, lambda: counts.append(len(watched.waits)))
        monkeypatch.setattr(one, "_run", lambda network, pixels: network(pixels).float())
        network = judging._network(recipe, 3).to(ALONE)
        one._train(network, np.arange(N), torch.from_numpy(MEMBERS))
    assert len(counts) == 4
    assert counts[1:] == counts[:-1]  # the first one puts the numbers of rows there
