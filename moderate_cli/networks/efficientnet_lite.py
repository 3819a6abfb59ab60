"""EfficientNet-Lite, of plain torch layers.

EfficientNet without squeeze-and-excitation and with ReLU6 (Tan and Le, arXiv 1905.11946; the Lite
variants are TensorFlow's). Its weights come from TensorFlow: there, "SAME" padding adds the odd
pixel of a strided convolution at the right and bottom; torch adds it at the left and top. Mirroring
every kernel and the image in both directions turns one into the other. So this network is a plain
stack of torch convolutions without manual padding; averaging over positions undoes the mirroring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

# Expansion, kernel, stride, channels, repeats of each stage of Lite0 (arXiv 1905.11946, Table 1).
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, FEATURES = 32, 1280  # channels before and after the stages, of all variants


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; add the input where the shapes agree."""

    def __init__(
        self, expansion: int, kernel: int, stride: int, channels_in: int, channels_out: int
    ) -> None:
        super().__init__()
        hidden = channels_in * expansion
        expand = [_convolution(channels_in, hidden, 1)] if expansion > 1 else []
        self.block = nn.Sequential(
            *expand,
            _convolution(hidden, hidden, kernel, stride, groups=hidden),
            _convolution(hidden, channels_out, 1)[:-1],  # projects without an activation
        )
        self.adds_input = stride == 1 and channels_in == channels_out

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (b, channels_in, h, w) to (b, channels_out, h / stride, w / stride)."""
        out: torch.Tensor = self.block(images)
        return out + images if self.adds_input else out


class EfficientNetLite(nn.Module):
    """Classifier of images with even sides; `classifier` is its head.

    Parameters
    ----------
    width, depth
        Factors of the channels and of the repeats of Lite0's stages; the first and the last stage
        are not repeated more often.
    classes
        Number of classes.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0, classes: int = 1000) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        channels = STEM
        for expansion, kernel, stride, wide, repeats in STAGES:
            before, channels = channels, _scaled(wide, width)
            first = InvertedResidual(expansion, kernel, stride, before, channels)
            more = math.ceil(repeats * depth) - 1 if repeats > 1 else 0
            blocks += [
                first,
                *(InvertedResidual(expansion, kernel, 1, channels, channels) for _ in range(more)),
            ]
        self.features = nn.Sequential(
            _convolution(3, STEM, 3, 2), *blocks, _convolution(channels, FEATURES, 1)
        )
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map float images (b, 3, h, w), h and w even, to logits (b, classes)."""
        logits: torch.Tensor = self.classifier(self.features(images.flip((2, 3))).mean((2, 3)))
        return logits


def _scaled(channels: int, width: float) -> int:
    """Multiply a number of channels, and round it to a multiple of 8.

    As TensorFlow's EfficientNet rounds; its exception, for numbers that would shrink by more than a
    tenth, does not occur in these networks.

    >>> [_scaled(channels, 1.1) for channels in (16, 24, 40, 80, 112, 192, 320)]
    [16, 24, 48, 88, 120, 208, 352]
    """
    return int(channels * width + 4) // 8 * 8


def _convolution(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution, its batch normalization, and its activation."""
    return nn.Sequential(
        nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(channels_out, eps=1e-3, momentum=0.01),
        nn.ReLU6(inplace=True),
    )


def convert_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename and mirror a state dict of the package `efficientnet-lite-pytorch` for this network.

    Unknown names are not changed; the caller refuses them.
    """
    last = len({name.split(".")[1] for name in weights if name.startswith("_blocks.")}) + 1
    return {
        _rename(name, last): value.flip((2, 3)) if value.ndim == 4 else value
        for name, value in weights.items()
    }


def _rename(name: str, last: int) -> str:
    """Return the new name; `last` is the number of the last convolution."""
    module, _, parameter = name.rpartition(".")
    match module.split("."):
        case ["_conv_stem"]:
            return f"features.0.0.{parameter}"
        case ["_bn0"]:
            return f"features.0.1.{parameter}"
        case ["_blocks", index, layer] if index.isdigit():
            # The first block has no expansion, so its layers come one earlier.
            shift = 0 if index == "0" else 1
            position = {
                "_expand_conv": "0.0",
                "_bn0": "0.1",
                "_depthwise_conv": f"{shift}.0",
                "_bn1": f"{shift}.1",
                "_project_conv": f"{shift + 1}.0",
                "_bn2": f"{shift + 1}.1",
            }.get(layer, layer)
            return f"features.{int(index) + 1}.block.{position}.{parameter}"
        case ["_conv_head"]:
            return f"features.{last}.0.{parameter}"
        case ["_bn1"]:
            return f"features.{last}.1.{parameter}"
        case ["_fc"]:
            return f"classifier.{parameter}"
    return name
