import math

import pytest
import torch
from torch import nn

from moderate_cli.networks.classifiers import drop_head
from moderate_cli.networks.small import small_network
from moderate_cli.networks.table import SMALL_NETWORKS

# Features, and weights without the head: 9 per pair of channels, or 16 in three layers of `cnn`,
# and two per channel of batch normalization.
WIDTHS = {"cnn": 64, "resnet9": 512, "resnet9_narrow": 256}
COUNTS = {
    "cnn": 16 * (3 * 16 + 16 * 32 + 32 * 64) + 9 * 64 * 64 + 2 * (16 + 32 + 64 + 64),
    "resnet9": 9 * (3 * 64 + 64 * 128 + 2 * 128 * 128 + 128 * 256 + 256 * 512 + 2 * 512 * 512)
    + 2 * (64 + 3 * 128 + 256 + 3 * 512),
    "resnet9_narrow": 9 * (3 * 32 + 32 * 64 + 2 * 64 * 64 + 64 * 128 + 128 * 256 + 2 * 256 * 256)
    + 2 * (32 + 3 * 64 + 128 + 3 * 256),
}


def images(side):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SMALL_NETWORKS)
@pytest.mark.parametrize("side", [16, 32, 64])
def test_pictures_of_any_size_give_an_output_for_each_class(name, side):
    assert small_network(name, 5)(images(side)).shape == (2, 5)


@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_without_its_head_it_has_the_layers_that_its_text_names(name):
    network = small_network(name, 5).eval()
    assert drop_head(network) == WIDTHS[name]
    assert network(images(32)).shape == (2, WIDTHS[name])
    assert sum(one.numel() for one in network.parameters()) == COUNTS[name]


def test_the_residual_blocks_add_to_what_they_get():
    network = small_network("resnet9", 5).eval()
    before, block = network[:7], network[7]
    inputs = before(images(32))
    nn.init.zeros_(block.block[4].weight)  # the scale of the last batch normalization
    torch.testing.assert_close(block(inputs), inputs)


@pytest.mark.parametrize("name", ["resnet9", "resnet9_narrow"])
def test_a_fresh_resnet_is_sure_of_nothing(name):
    torch.manual_seed(0)
    logits = small_network(name, 10)(images(32))
    loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
    assert abs(float(loss.detach()) - math.log(10)) < 0.5


@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_the_seed_of_torch_decides_the_weights(name):
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(small_network(name, 5)[0].weight.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
