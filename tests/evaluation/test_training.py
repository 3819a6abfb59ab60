import numpy as np
import pytest
import torch

from moderate_cli.dataset import scan
from moderate_cli.errors import ArgumentError, DatasetError, DeviceError
from moderate_cli.evaluation import training
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.training import (
    TrainLearner,
    _placed,
    read_pictures,
    seconds_per_training,
)


def learner(grays, recipe):
    """Pictures of a dataset, and what is trained on them."""
    dataset = scan(grays)
    pictures = read_pictures(dataset, dataset.labels, np.ones(80, dtype=bool), recipe)
    return pictures, TrainLearner(pictures, None, recipe)


ROWS, HELD_OUT = np.arange(0, 80, 2), np.arange(1, 80, 2)


def test_a_network_with_strides_can_be_trained_on_tiny_pictures(grays, monkeypatch):
    """In bfloat16, gradients of single pixels were what the memory held before."""
    largest, made = [], training._network

    def make(*args):
        network = made(*args)
        network.register_forward_pre_hook(
            lambda *_: largest.append(
                max(float(one.detach().abs().max()) for one in network.parameters())
            )
        )
        return network

    monkeypatch.setattr(training, "_network", make)
    _, learn = learner(grays, Recipe("resnet18", steps=4, size=16, device="cpu"))
    torch.full((4_000_000,), 3e33)  # freed at once
    learn(ROWS, HELD_OUT, 1)
    assert max(largest) < 100


@pytest.mark.parametrize("step", ["forward", "backward"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("CUDA error: device-side assert triggered\nCompile with"),
            "the GPU failed (CUDA error: device-side assert triggered); use --device cpu",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to"),
            "the GPU is out of memory; a smaller --size or network takes less",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            "out of memory; a smaller --size or network takes less",
        ),
    ],
)
def test_what_a_device_says_is_not_put_down_to_the_size_of_pictures(
    error, said, step, grays, monkeypatch
):
    def fail(*_):
        raise error

    _, learn = learner(grays, Recipe(steps=3, size=8, device="cpu"))
    place = {"forward": (TrainLearner, "_run"), "backward": (torch.Tensor, "backward")}[step]
    monkeypatch.setattr(*place, fail)
    with pytest.raises(DeviceError) as caught:
        learn(ROWS, HELD_OUT, 1)
    assert str(caught.value) == said


def test_a_fault_of_the_program_is_not_put_down_to_the_size_of_pictures(grays, monkeypatch):
    def fail(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    _, learn = learner(grays, Recipe(steps=3, size=8, device="cpu"))
    monkeypatch.setattr(TrainLearner, "_run", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        learn(ROWS, HELD_OUT, 1)


def test_larger_batches_learn_at_a_higher_rate(grays, monkeypatch):
    begun = []

    class Noted(training.Descent):
        def __init__(self, network, rate, steps):
            super().__init__(network, rate, steps)
            begun.append(rate)

        def step(self, logits, members):
            begun.append(len(logits))
            super().step(logits, members)

    monkeypatch.setattr(training, "Descent", Noted)
    _, learn = learner(grays, Recipe(steps=1, size=8, device="cpu", batch=128))
    learn(ROWS, HELD_OUT, 1)
    assert begun == [2 * training.RATE, 128]


def test_a_torch_that_was_built_without_onednn_trains(grays, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    _, learn = learner(grays, Recipe(steps=1, size=8, device="cpu"))
    assert learn(ROWS, HELD_OUT, 1).shape == (40,)


def test_pictures_that_do_not_fit_in_memory_are_told_of(grays):
    dataset, recipe = scan(grays), Recipe(size=10_000_000, device="cpu")
    with pytest.raises(DeviceError) as caught:
        read_pictures(dataset, dataset.labels, np.ones(80, dtype=bool), recipe)
    assert str(caught.value) == (
        "out of memory; 80 pictures take 24000000.0 GB, and a smaller --size less"
    )


def test_a_picture_that_is_gone_is_named_and_not_taken_to_be_black(grays):
    dataset = scan(grays)
    (grays / dataset.paths[7]).unlink()
    with pytest.raises(DatasetError) as caught:
        read_pictures(dataset, dataset.labels, np.arange(80) != 3, Recipe(size=8, device="cpu"))
    assert str(caught.value) == (
        f"{grays}/{dataset.paths[7]}: No such file or directory; run again to leave it out"
    )


def test_pictures_go_to_a_gpu_if_they_take_at_most_half_of_its_memory(grays, monkeypatch):
    pictures, learn = learner(grays, Recipe(steps=1, size=8, device="cpu"))
    assert learn._data.pixels is pictures.pixels  # on a CPU they stay
    moved = []
    monkeypatch.setattr(torch.Tensor, "to", lambda own, device: moved.append(device) or own)
    gpu = torch.device("cuda:0")
    for free, devices in ((2 * 80 * 3 * 64 - 1, []), (2 * 80 * 3 * 64, [gpu])):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device, free=free: (free, 10**9))
        assert _placed(pictures, gpu).pixels.shape == (80, 3, 8, 8)
        assert moved == devices


def test_a_seed_that_torch_does_not_take_is_refused(grays):
    _, learn = learner(grays, Recipe(steps=1, size=8, device="cpu"))
    with pytest.raises(ArgumentError, match="is more than 18446744073709551615"):
        learn(ROWS, HELD_OUT, 2**64)


def test_a_seed_makes_a_network_of_its_own_each_time_the_same(grays):
    pictures, learn = learner(grays, Recipe(steps=3, size=8, device="cpu"))
    assert pictures.pixels[:, 0, 0, 0].tolist() == [
        50 * (n // 20) + 3 * (n % 20) for n in range(80)
    ]
    first, other = learn(ROWS, HELD_OUT, 1), learn(ROWS, HELD_OUT, 2)
    assert np.array_equal(learn(ROWS, HELD_OUT, 1), first)
    assert not np.array_equal(other, first)
    assert first.shape == other.shape == (40,)


def test_a_stall_is_no_part_of_the_time_of_a_step(monkeypatch):
    moments = iter(np.cumsum([0, 0.1, 0.1, 5.0]))
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(moments))

    class Learner:
        def __init__(self, *args):
            self._on_step = args[-1]

        def __call__(self, *_args):
            while True:
                self._on_step()

    monkeypatch.setattr(training, "TrainLearner", Learner)
    assert seconds_per_training(Recipe("cnn", 100, 32), 0) == pytest.approx(10)
