import subprocess
import sys

import pytest
import torch
from torch import nn

from moderate_cli.training.descent import Descent, computes_in_half, moved, one_cycle


def test_images_that_strides_make_single_pixels_are_not_computed_in_half(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    processor = torch.device("cpu")
    assert [computes_in_half(processor, size) for size in (16, 31, 32, 224, 0)] == [
        False, False, True, True, True
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 97])
def test_rates_and_momenta_are_those_of_torch(steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=steps)
    for step in range(steps):
        (group,) = optimizer.param_groups
        assert one_cycle(step, steps, 0.2) == pytest.approx((group["lr"], group["momentum"]))
        optimizer.step()
        schedule.step()


def test_weights_are_those_of_torchs_descent():
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    descent = Descent(ours, 0.2, 20, decay=1e-3, smoothing=0.1)
    optimizer = torch.optim.SGD(
        theirs.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-3, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=20)
    for points in torch.rand(20, 8, 4, generator=torch.Generator().manual_seed(0)):
        members = (3 * points[:, 0]).long()
        descent.step(ours(points), members)
        optimizer.zero_grad()
        nn.functional.cross_entropy(theirs(points), members, label_smoothing=0.1).backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_weights_that_are_not_used_stay_as_they_are():
    network = nn.Linear(4, 3)
    network.spare = nn.Parameter(torch.ones(2))
    descent = Descent(network, 0.2, 4)
    descent.step(network(torch.rand(5, 4)), torch.arange(5) % 3)
    assert network.spare.tolist() == [1, 1]
    state = descent.state()
    descent.load(state)
    descent.step(network(torch.rand(5, 4)), torch.arange(5) % 3)
    assert descent.state()["step"] == 2


def test_a_step_loads_no_compiler():
    code = (
        "import sys, torch\n"
        "from moderate_cli.training.descent import Descent\n"
        "network = torch.nn.Linear(4, 3)\n"
        "descent = Descent(network, 0.1, 10)\n"
        "descent.step(network(torch.rand(5, 4)), torch.arange(5) % 3)\n"
        "descent.load(descent.state())\n"
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_image_is_shifted_by_a_few_pixels_or_mirrored():
    torch.manual_seed(0)
    image = torch.arange(8 * 8).view(1, 1, 8, 8).expand(400, 3, 8, 8)
    padded = nn.functional.pad(image[:1], (1,) * 4)
    shifted = [
        padded[0, :, top : top + 8, left : left + 8] for top in range(3) for left in range(3)
    ]
    expected = {one.numpy().tobytes() for whole in shifted for one in (whole, whole.flip(-1))}
    found = {one.contiguous().numpy().tobytes() for one in moved(image, 8)}
    assert found == expected
