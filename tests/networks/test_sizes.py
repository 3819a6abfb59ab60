import pytest
import torch
from torchvision import models

from moderate_cli.networks.classifiers import BUILD_OPTIONS, find_head
from moderate_cli.networks.efficientnet_lite import EfficientNetLite
from moderate_cli.networks.sizes import SIZES
from moderate_cli.networks.table import CLASSIFIERS

# Those compute their sizes with tensors; of the others these are the smallest.
REGNETS = {"regnet_x_400mf", "regnet_y_400mf"}


def test_every_classifier_has_a_size():
    assert tuple(SIZES) == CLASSIFIERS


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_sizes_are_those_of_the_networks(name):
    if name.startswith("efficientnet_lite"):
        module = EfficientNetLite(*((1.1, 1.2) if name.endswith("2") else ()))
        count = sum(weight.numel() for weight in module.parameters())
    else:
        count = models.get_model_weights(name).DEFAULT.meta["num_params"]
        if name.startswith("regnet") and name not in REGNETS:
            assert SIZES[name].millions == round(count / 1e6, 1)
            return
        with torch.device("cpu" if name in REGNETS else "meta"):
            module = models.get_model(name, weights=None, **BUILD_OPTIONS.get(name, {}))
    _, head = find_head(module)
    dim = head.in_features if isinstance(head, torch.nn.Linear) else head.in_channels
    assert SIZES[name] == (dim, round(count / 1e6, 1))
