"""Names of backbones, and the options that determine features, as plain data."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from moderate_cli.errors import ArgumentError, WeightsError, check_choice
from moderate_cli.files.near import near_or
from moderate_cli.files.regular import open_regular
from moderate_cli.networks.names import models_of
from moderate_cli.text import clipped, unknown

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
        A key of `moderate_cli.networks.classifiers.FAMILIES`, which builds it; "pixels", "fitted",
        or one of `LIBRARIES`.
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
    Backbone("efficientnet_lite2", "efficientnet-lite"),
    *(
        Backbone(name, "torchvision", auxiliary=name in ("googlenet", "inception_v3"))
        for name in _TORCHVISION
    ),
    Backbone("pixels", "pixels", headed=False),  # colors of a thumbnail
    Backbone(FITTED, FITTED),
)
BACKBONES = {entry.name: entry for entry in _ENTRIES}
CLASSIFIERS = tuple(entry.name for entry in _ENTRIES if entry.headed and entry.name != FITTED)

# Libraries of networks, with the form of their names: `--backbone timm:NAME` takes any of them.
LIBRARIES = {
    "timm": re.compile(r"[\w.-]+"),
    "open_clip": re.compile(r"[\w.-]+(/[\w.-]+)?"),  # a model, and the tag of its weights
}
FORMS = {"timm": "timm:NAME", "open_clip": "open_clip:MODEL/PRETRAINED"}
EXTRAS = {"timm": "timm", "open_clip": "open-clip"}
# Names of models elsewhere -> their names here.
ELSEWHERE = {
    "dinov2_vits14": "timm:vit_small_patch14_dinov2.lvd142m",
    "dinov2_vitb14": "timm:vit_base_patch14_dinov2.lvd142m",
    "dinov2_vitl14": "timm:vit_large_patch14_dinov2.lvd142m",
    "dinov2_vitg14": "timm:vit_giant_patch14_dinov2.lvd142m",
    "dinov3_vits16": "timm:vit_small_patch16_dinov3.lvd1689m",
    "dinov3_vitb16": "timm:vit_base_patch16_dinov3.lvd1689m",
    "dinov3_vitl16": "timm:vit_large_patch16_dinov3.lvd1689m",
    "clip": "open_clip:ViT-B-32/openai",
    "siglip": "open_clip:ViT-B-16-SigLIP/webli",
}
WHERE = "`moderate backbones` lists all"
# For an unknown backbone; networks that are trained are only those of `BACKBONES`.
ALSO = f"{WHERE}; timm:NAME takes models of timm; --features takes features of any other"

# Number of the rule in `moderate_cli.images.pixels` that makes pixels, and the maximum number of
# pixels. Here, so that opening a feature set does not load the image library.
RULE = 2
DEFAULT_MAX_PIXELS = 178_956_970

GPU = "gpu"  # of `DECODES`
DECODES = ("full", "reduced", GPU)
IGNORE, EXIF = ORIENTATIONS = ("ignore", "exif")
PRECISIONS = ("float32", "bfloat16", "float16")
DTYPES = ("float16", "float32")
RUNTIMES = ("auto", "torch", "openvino")
DEVICES = ("auto", "cpu", "cuda", "mps")
NUMBERED = re.compile(r"cuda:[0-9]{1,4}")  # one of several GPUs


@dataclass(frozen=True)
class Preprocessing:
    """How an image file becomes the input of a backbone.

    Attributes
    ----------
    resize
        The short side is resized to this many pixels; with `squash`, both sides.
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
    squash
        Whether the shape of the image is given up, so that nothing of it is cut off.
    orientation
        One of `ORIENTATIONS`: whether pixels are turned by the EXIF tag before they are resized.
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    decode: str = "full"
    squash: bool = False
    orientation: str = IGNORE

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU decodes."""
        return self.decode.split()[0] == GPU

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which an image is resized.

        >>> resnet = Preprocessing(256, 224, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        >>> resnet.resized(300, 400)
        (256, 341)
        """
        if self.squash:
            return self.resize, self.resize
        short = min(height, width)
        return self.resize * height // short, self.resize * width // short

    def facts(self) -> dict[str, Any]:
        """Return the fields by name, without those of later versions that have their default."""
        fields = asdict(self)
        for name, default in (("squash", False), ("orientation", IGNORE)):
            if fields[name] == default:
                del fields[name]
        return fields


@dataclass(frozen=True)
class FeatureSpec:
    """The options that determine the features of an image.

    Attributes
    ----------
    backbone
        One of `BACKBONES`, or a model of one of `LIBRARIES`.
    weights
        SHA-256 of a weights file, as hexadecimal digits; empty for the backbone's own weights.
    precision
        One of `PRECISIONS`, in which the backbone computes.
    dtype
        One of `DTYPES`, in which features are stored.
    decode
        One of `DECODES`.
    orientation
        One of `ORIENTATIONS`.
    """

    backbone: str = DEFAULT_BACKBONE
    weights: str = ""
    precision: str = "float32"
    dtype: str = "float16"
    decode: str = "full"
    orientation: str = IGNORE

    def __post_init__(self) -> None:
        entry = find_backbone(self.backbone)
        for option, value, choices in (
            ("precision", self.precision, PRECISIONS),
            ("dtype", self.dtype, DTYPES),
            ("decode", self.decode, DECODES),
            ("orientation", self.orientation, ORIENTATIONS),
        ):
            check_choice(option, value, choices)
        if self.weights and not entry.headed:
            raise ArgumentError(
                f"weights: the backbone {self.backbone!r} has no weights; choose another backbone"
            )

    @property
    def name(self) -> str:
        """Name of the feature set's folder, such as `resnet50-1f3a9c27-float32-float16`.

        >>> FeatureSpec().name
        'efficientnet_lite0-float32-float16'
        >>> FeatureSpec("open_clip:ViT-B-32/openai").name
        'open_clip+ViT-B-32+openai-float32-float16'
        """
        # Windows allows no colon in a name, no system a slash, and no model has a plus.
        backbone = self.backbone.replace(":", "+").replace("/", "+")
        decode = "" if self.decode == "full" else self.decode
        turned = "" if self.orientation == IGNORE else self.orientation
        parts = (backbone, self.weights[:8], self.precision, self.dtype, decode, turned)
        return "-".join(part for part in parts if part)


def find_backbone(name: str) -> Backbone:
    """Return a backbone by its name, as `--backbone` takes it.

    Whether a library has a model of that name is checked when it is loaded.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if isinstance(name, str) and name in BACKBONES:
        return BACKBONES[name]
    library, colon, model = str(name).partition(":")
    if colon and library in LIBRARIES and LIBRARIES[library].fullmatch(model):
        return Backbone(name, library)
    raise ArgumentError(f"backbone: {_unknown(str(name), library if colon else '')}")


def _unknown(name: str, library: str) -> str:
    """Say that a backbone is unknown, and suggest others."""
    if library in LIBRARIES:
        return f"{clipped(name)!r} is not a name; use {FORMS[library]}; {WHERE}"
    guess = ELSEWHERE.get(name)
    if guess is None and name.partition(".")[0] in models_of("timm"):
        guess = f"timm:{name}"
    if guess is not None:
        return f"{clipped(name)!r} is unknown; did you mean {guess}? {ALSO}"
    return unknown(name, BACKBONES, ALSO)


def check_device(name: str) -> None:
    """Refuse a name that is not one of `DEVICES`, nor the number of a GPU, such as "cuda:1".

    Raises
    ------
    ArgumentError
        With similar names.
    """
    if not isinstance(name, str) or not NUMBERED.fullmatch(name):
        check_choice("device", name, (*DEVICES, "cuda:N") if name not in DEVICES else DEVICES)


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
        advice = near_or(weights, "name a weights file")
        raise WeightsError(f"{os.fspath(weights)}: {error.strerror}; {advice}") from None
