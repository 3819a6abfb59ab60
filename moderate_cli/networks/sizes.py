"""Sizes of the networks that come with this package or with torchvision, to be listed at once.

A test compares them with the networks.
"""

from __future__ import annotations

from typing import NamedTuple

# Name, number of features, and millions of parameters, with the head for ImageNet.
_SIZES = """
    efficientnet_lite0 1280 4.7 | efficientnet_lite2 1280 6.1
    alexnet 4096 61.1 | convnext_base 1024 88.6 | convnext_large 1536 197.8
    convnext_small 768 50.2 | convnext_tiny 768 28.6 | densenet121 1024 8.0
    densenet161 2208 28.7 | densenet169 1664 14.1 | densenet201 1920 20.0
    efficientnet_b0 1280 5.3 | efficientnet_b1 1280 7.8 | efficientnet_b2 1408 9.1
    efficientnet_b3 1536 12.2 | efficientnet_b4 1792 19.3 | efficientnet_b5 2048 30.4
    efficientnet_b6 2304 43.0 | efficientnet_b7 2560 66.3 | efficientnet_v2_l 1280 118.5
    efficientnet_v2_m 1280 54.1 | efficientnet_v2_s 1280 21.5 | googlenet 1024 6.6
    inception_v3 2048 27.2 | maxvit_t 512 30.9 | mnasnet0_5 1280 2.2 | mnasnet0_75 1280 3.2
    mnasnet1_0 1280 4.4 | mnasnet1_3 1280 6.3 | mobilenet_v2 1280 3.5
    mobilenet_v3_large 1280 5.5 | mobilenet_v3_small 1024 2.5 | regnet_x_16gf 2048 54.3
    regnet_x_1_6gf 912 9.2 | regnet_x_32gf 2520 107.8 | regnet_x_3_2gf 1008 15.3
    regnet_x_400mf 400 5.5 | regnet_x_800mf 672 7.3 | regnet_x_8gf 1920 39.6
    regnet_y_128gf 7392 644.8 | regnet_y_16gf 3024 83.6 | regnet_y_1_6gf 888 11.2
    regnet_y_32gf 3712 145.0 | regnet_y_3_2gf 1512 19.4 | regnet_y_400mf 440 4.3
    regnet_y_800mf 784 6.4 | regnet_y_8gf 2016 39.4 | resnet101 2048 44.5 | resnet152 2048 60.2
    resnet18 512 11.7 | resnet34 512 21.8 | resnet50 2048 25.6 | resnext101_32x8d 2048 88.8
    resnext101_64x4d 2048 83.5 | resnext50_32x4d 2048 25.0 | shufflenet_v2_x0_5 1024 1.4
    shufflenet_v2_x1_0 1024 2.3 | shufflenet_v2_x1_5 1024 3.5 | shufflenet_v2_x2_0 2048 7.4
    squeezenet1_0 512 1.2 | squeezenet1_1 512 1.2 | swin_b 1024 87.8 | swin_s 768 49.6
    swin_t 768 28.3 | swin_v2_b 1024 87.9 | swin_v2_s 768 49.7 | swin_v2_t 768 28.4
    vgg11 4096 132.9 | vgg11_bn 4096 132.9 | vgg13 4096 133.0 | vgg13_bn 4096 133.1
    vgg16 4096 138.4 | vgg16_bn 4096 138.4 | vgg19 4096 143.7 | vgg19_bn 4096 143.7
    vit_b_16 768 86.6 | vit_b_32 768 88.2 | vit_h_14 1280 633.5 | vit_l_16 1024 304.3
    vit_l_32 1024 306.5 | wide_resnet101_2 2048 126.9 | wide_resnet50_2 2048 68.9
    """


class Size(NamedTuple):
    """Number of features, and of parameters in millions."""

    dim: int
    millions: float


def _sizes() -> dict[str, Size]:
    cells = (
        cell.split() for line in _SIZES.splitlines() for cell in line.split("|") if cell.strip()
    )
    return {name: Size(int(dim), float(millions)) for name, dim, millions in cells}


SIZES = _sizes()
