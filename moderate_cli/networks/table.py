"""Backbones by name, and what decides the numbers of a feature set, as plain data."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from moderate_cli.errors import ArgumentError, WeightsError
from moderate_cli.files.regular import open_regular
from moderate_cli.text import choice_refusal

DEFAULT_BACKBONE = "efficientnet_lite0"

# Classification models of torchvision, with the weights and transforms of their own weights enum.
# A test holds this list equal to torchvision's; it stands here so that a name can be checked and
# completed without loading torch.
TORCHVISION_BACKBONES = tuple(
    """
    alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161
    densenet169 densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3
    efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7 efficientnet_v2_l
    efficientnet_v2_m efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 mnasnet0_75
    mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_16gf
    regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf regnet_x_8gf
    regnet_y_128gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf
    regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d
    resnext101_64x4d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5
    shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_b swin_s swin_t swin_v2_b swin_v2_s
    swin_v2_t vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16 vit_b_32
    vit_h_14 vit_l_16 vit_l_32 wide_resnet101_2 wide_resnet50_2
    """.split()
)
CLASSIFIERS = (DEFAULT_BACKBONE, *TORCHVISION_BACKBONES)
BACKBONES = (*CLASSIFIERS, "pixels")  # colors of a thumbnail; has no weights, and no head

# Number of the rule by which bytes become pixels, which is in `moderate_cli.images.pixels`, and
# what images have at most. They stand here so that a set is opened without the image library.
RULE = 2
DEFAULT_MAX_PIXELS = 178_956_970
WHERE = "README, under Backbones, lists them; for models of others there is --features"

DECODES = ("full", "reduced")
PRECISIONS = ("float32", "bfloat16", "float16")
DTYPES = ("float16", "float32")
RUNTIMES = ("auto", "torch", "openvino")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Preprocessing:
    """How an image file becomes the input of a backbone.

    Attributes
    ----------
    resize
        The short side is resized to this many pixels.
    crop
        Then a square of this many pixels is cut from the center.
    interpolation
        "bilinear" or "bicubic", with antialiasing.
    mean, std
        Red, green and blue in 0..255 become (value - mean) / std.
    decode
        One of `DECODES`: whether a JPEG that is far larger than `resize` is decoded at a half, a
        quarter or an eighth of its size.
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    decode: str = "full"


@dataclass(frozen=True)
class FeatureSpec:
    """All that a user can ask for that changes the features of an image.

    Attributes
    ----------
    backbone
        One of `BACKBONES`.
    weights
        SHA-256 of a weights file, as hexadecimal digits; empty for the backbone's own weights.
    precision
        One of `PRECISIONS`, in which the backbone computes.
    dtype
        One of `DTYPES`, in which features are stored.
    decode
        One of `DECODES`.
    """

    backbone: str = DEFAULT_BACKBONE
    weights: str = ""
    precision: str = "float32"
    dtype: str = "float16"
    decode: str = "full"

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ArgumentError(f"backbone: {choice_refusal(self.backbone, BACKBONES, WHERE)}")
        for option, value, choices in (
            ("precision", self.precision, PRECISIONS),
            ("dtype", self.dtype, DTYPES),
            ("decode", self.decode, DECODES),
        ):
            if value not in choices:
                raise ArgumentError(f"{option}: {value!r} is none of {', '.join(choices)}")
        if self.weights and self.backbone == "pixels":
            raise ArgumentError("weights: the backbone 'pixels' has none")

    @property
    def name(self) -> str:
        """Name of the feature set's folder, such as `resnet50-1f3a9c27-float32-float16`.

        >>> FeatureSpec().name
        'efficientnet_lite0-float32-float16'
        """
        decode = "" if self.decode == "full" else self.decode
        parts = (self.backbone, self.weights[:8], self.precision, self.dtype, decode)
        return "-".join(part for part in parts if part)


def weights_digest(weights: str | os.PathLike[str] | None) -> str:
    """SHA-256 of a weights file as hexadecimal digits, or "" if there is none."""
    if weights is None:
        return ""
    try:
        with open_regular(weights) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{os.fspath(weights)}: {error.strerror}; name a weights file") from None
