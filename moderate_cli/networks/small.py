"""Small networks for small pictures, without weights."""

from __future__ import annotations

import torch
from torch import nn

from moderate_cli.networks.table import SMALL_NETWORKS

SCALE = 0.125  # of logits, so that the loss of a fresh ResNet-9 is small


def small_network(name: str, classes: int) -> nn.Sequential:
    """Build one of `SMALL_NETWORKS` with random weights; its last part is the head.

    It maps float images (b, 3, h, w), normalized, to logits (b, classes); h and w are at least 16.
    """
    if name == "cnn":
        return _cnn(classes)
    return _resnet9(SMALL_NETWORKS[name], classes)


def _cnn(classes: int) -> nn.Sequential:
    """Build a network of four convolutions; each of the first three halves the picture."""
    return nn.Sequential(
        *_convolution(3, 16, 4, stride=2),
        *_convolution(16, 32, 4, stride=2),
        *_convolution(32, 64, 4, stride=2),
        *_convolution(64, 64, 3),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )


def _resnet9(width: int, classes: int) -> nn.Sequential:
    """Build a residual network of eight convolutions and a head (Page, How to Train Your ResNet).

    Its features have 8 x `width` dimensions.
    """
    return nn.Sequential(
        *_convolution(3, width, 3),
        *_halved(width, 2 * width),
        _Residual(2 * width),
        *_halved(2 * width, 4 * width),
        *_halved(4 * width, 8 * width),
        _Residual(8 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        _ScaledLinear(8 * width, classes, bias=False),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *_convolution(channels, channels, 3), *_convolution(channels, channels, 3)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = images + self.block(images)
        return out


class _ScaledLinear(nn.Linear):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return SCALE * super().forward(features)


def _halved(before: int, after: int) -> list[nn.Module]:
    return [*_convolution(before, after, 3), nn.MaxPool2d(2)]


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]
