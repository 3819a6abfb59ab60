"""Options of embedding: each with its default and its meaning."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from moderate_cli.dataset.sources import CHECKS
from moderate_cli.errors import ArgumentError, check_choice
from moderate_cli.literals import Check, Decode, Dtype, OnError, Orientation, Precision, Runtime
from moderate_cli.networks.table import (
    AUTO,
    DEFAULT_BACKBONE,
    DEFAULT_MAX_PIXELS,
    RUNTIMES,
    FeatureSpec,
    check_device,
    weights_digest,
)
from moderate_cli.threads import processors

ON_ERROR = ("fail", "skip")


@dataclass(frozen=True)
class EmbedOptions:
    """Options of embedding; the fields are the long options of `moderate embed`.

    Attributes
    ----------
    backbone
        One of `moderate_cli.networks.table.BACKBONES`; a model of a library, such as
        "timm:resnet50.a1_in1k" or "open_clip:ViT-B-32/openai"; or "auto": "fitted" if `fit` has
        trained a network on the dataset that knows its classes better, else "efficientnet_lite0".
    weights
        File with a state dict of that architecture, of any class count, such as your own
        fine-tuned classifier; None for the backbone's own pretrained weights.
    store
        Folder for feature sets; None for `data/train.moderate` beside `data/train`.
    precision
        Precision of the forward pass: "float32", "bfloat16" or "float16".
    dtype
        Data type of the stored features: "float16" or "float32".
    decode
        "full"; or "reduced", which decodes JPEGs much larger than the backbone's input at a half,
        a quarter or an eighth of their size: faster, with slightly different features. "gpu"
        decodes and resizes JPEGs on the GPU that runs the backbone: several times as fast, and of
        pixels that differ slightly; other images as "full" does.
    orientation
        "ignore" the EXIF tag, as ImageFolder does; or turn images as it says: "exif".
    max_pixels
        Images with more pixels are unreadable. With a larger limit than before, they are tried
        again.
    check
        How to tell that an image is unchanged. "stat": by size, times and inode; other images are
        read, and only new contents embedded. "mtime": by size and modification time alone, for
        file systems without stable inodes. "content": all images are read, and all features
        compared with their checksums; damaged features are embedded again.
    batch_size
        Images per batch; None for 8 per processor (activations then fit its cache), at least 16
        in torch, and on a GPU 256 to 1,024, by its free memory.
    workers
        Threads that read and decode images, or processes if four or more of them, or a GPU, have
        thousands of images to read; None for one per processor. On a Ray cluster, the processors of
        each worker; None for one, or for an even share per GPU.
    device
        "cpu", "cuda", "cuda:1" for the second GPU, "mps" for the GPU of a Mac, or "auto": the
        first GPU if there is one. On a Ray cluster, `Cluster.gpus_per_worker` decides.
    runtime
        "torch", "openvino", or "auto": OpenVINO on a CPU if it is installed. Their features agree
        to 1e-5 relative, so one set may contain rows of both.
    on_error
        On unreadable images: "fail" raises UnreadableImages once all others are embedded, "skip"
        goes on. Their rows are NaN, and `FeatureStore.unreadable` lists them.

    Raises
    ------
    ArgumentError
        If an option is out of range, or two do not go together.

    Examples
    --------
    >>> EmbedOptions(backbone="resnet50", precision="bfloat16").spec.name
    'resnet50-bfloat16-float16'
    >>> EmbedOptions(check="inode")
    Traceback (most recent call last):
    moderate_cli.errors.ArgumentError: check: 'inode' is unknown; choose one of stat, mtime, content
    """

    backbone: str = AUTO
    weights: str | os.PathLike[str] | None = None
    store: str | os.PathLike[str] | None = None
    precision: Precision = "float32"
    dtype: Dtype = "float16"
    decode: Decode = "full"
    orientation: Orientation = "ignore"
    max_pixels: int = DEFAULT_MAX_PIXELS
    check: Check = "stat"
    batch_size: int | None = None
    workers: int | None = None
    device: str = "auto"
    runtime: Runtime = "auto"
    on_error: OnError = "fail"

    def __post_init__(self) -> None:
        for name in ("max_pixels", "batch_size", "workers"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ArgumentError(f"{name}: {number} is not positive")
        for name, choices in (
            ("check", CHECKS),
            ("runtime", RUNTIMES),
            ("on_error", ON_ERROR),
        ):
            check_choice(name, getattr(self, name), choices)
        check_device(self.device)
        # The weights are not read yet; the checks only need to know that they are given.
        given = "given" if self.weights is not None else ""
        self._spec(given)

    @property
    def threads(self) -> int:
        """Number of threads or processes that decode images on this machine."""
        return self.workers or processors()

    @cached_property
    def spec(self) -> FeatureSpec:
        """The options that change features; reads the file of weights, if there is one.

        Raises
        ------
        WeightsError
            If it cannot be read.
        """
        return self._spec(weights_digest(self.weights))

    def _spec(self, weights: str) -> FeatureSpec:
        backbone = DEFAULT_BACKBONE if self.backbone == AUTO else self.backbone
        return FeatureSpec(
            backbone, weights, self.precision, self.dtype, self.decode, self.orientation
        )


class _Keywords(TypedDict, total=False):
    weights: str | os.PathLike[str] | None
    store: str | os.PathLike[str] | None
    precision: Precision
    dtype: Dtype
    decode: Decode
    orientation: Orientation
    max_pixels: int
    check: Check
    batch_size: int | None
    workers: int | None
    device: str
    runtime: Runtime
    on_error: OnError


class EmbedKeywords(_Keywords, total=False):
    """The fields of `EmbedOptions`, as keywords of functions."""

    backbone: str


class FeatureKeywords(_Keywords, total=False):
    """The same for functions that combine the features of several backbones."""

    backbone: str | Sequence[str]
