"""Names of backbones, and the options that determine features, as plain data."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import NamedTuple

from moderate_cli.errors import ArgumentError, WeightsError, check_choice
from moderate_cli.files.regular import open_regular

DEFAULT_BACKBONE = "efficientnet_lite0"
FITTED = "fitted"  # a network that `moderate fit` trained on the dataset
AUTO = "auto"  # that network where it knows the classes better; else the default

# Networks for small pictures, and the width of a ResNet-9. They have no weights of their own.
SMALL_NETWORKS = {"cnn": 0, "resnet9": 64, "resnet9_narrow": 32}


class Backbone(NamedTuple):
    """One network that computes features.

    Attributes
    ----------
    name
        Its name, as `--backbone` takes it.
    family
        A key of `moderate_cli.networks.classifiers.FAMILIES`, which builds it; "pixels" or
        "fitted".
    headed
        Whether it has weights, and a classification head.
    auxiliary
        Whether it has a second head, which only training uses.
    """

    name: str
    family: str
    headed: bool = True
    auxiliary: bool = False


# Classification models of torchvision, with the weights and transforms of their weights enum. This
# copy checks and completes names without loading torch; a test compares it with torchvision's list.
_TORCHVISION = """
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
_ENTRIES = (
    Backbone(DEFAULT_BACKBONE, "efficientnet-lite"),
    *(
        Backbone(name, "torchvision", auxiliary=name in ("googlenet", "inception_v3"))
        for name in _TORCHVISION
    ),
    Backbone("pixels", "pixels", headed=False),  # colors of a thumbnail
    Backbone(FITTED, FITTED),
)
BACKBONES = {entry.name: entry for entry in _ENTRIES}
CLASSIFIERS = tuple(entry.name for entry in _ENTRIES if entry.headed and entry.name != FITTED)

# Number of the rule in `moderate_cli.images.pixels` that makes pixels, and the maximum number of
# pixels. Here, so that opening a feature set does not load the image library.
RULE = 2
DEFAULT_MAX_PIXELS = 178_956_970
WHERE = "`moderate help backbones` lists all; --features takes features of any other model"

GPU = "gpu"  # of `DECODES`
DECODES = ("full", "reduced", GPU)
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
        One of `DECODES`; "reduced" decodes a JPEG that is far larger than `resize` at a half, a
        quarter or an eighth of its size. "gpu" is followed by the name of the GPU, as in
        "gpu (NVIDIA H200)", because another one may decode to other pixels.
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    decode: str = "full"

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU decodes."""
        return self.decode.split()[0] == GPU


@dataclass(frozen=True)
class FeatureSpec:
    """The options that determine the features of an image.

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
        check_choice("backbone", self.backbone, BACKBONES, WHERE)
        for option, value, choices in (
            ("precision", self.precision, PRECISIONS),
            ("dtype", self.dtype, DTYPES),
            ("decode", self.decode, DECODES),
        ):
            check_choice(option, value, choices)
        if self.weights and not BACKBONES[self.backbone].headed:
            raise ArgumentError(
                f"weights: the backbone {self.backbone!r} has no weights; choose another backbone"
            )

    @property
    def name(self) -> str:
        """Name of the feature set's folder, such as `resnet50-1f3a9c27-float32-float16`.

        >>> FeatureSpec().name
        'efficientnet_lite0-float32-float16'
        """
        decode = "" if self.decode == "full" else self.decode
        parts = (self.backbone, self.weights[:8], self.precision, self.dtype, decode)
        return "-".join(part for part in parts if part)


_digests: dict[tuple[int, ...], str] = {}  # what tells that a file is unchanged -> its digest


def weights_digest(weights: str | os.PathLike[str] | None) -> str:
    """Return the SHA-256 of a weights file as hexadecimal digits; "" for None.

    A file that did not change since is not read again.
    """
    if weights is None:
        return ""
    try:
        with open_regular(weights) as file:
            now = os.fstat(file.fileno())
            known = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
            if known not in _digests:
                _digests[known] = hashlib.file_digest(file, "sha256").hexdigest()
            return _digests[known]
    except OSError as error:
        raise WeightsError(f"{os.fspath(weights)}: {error.strerror}; name a weights file") from None
