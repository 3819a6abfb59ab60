"""Decoders of JPEGs on a GPU: nvJPEG, by torchvision.

nvJPEG interpolates colors of fewer samples (4:2:0) by the nearest one, where libjpeg interpolates
linearly. Its pixels are close to those of a processor, but not equal.

torchvision is the way to it, because the networks need it anyway; torchcodec, with the same library
inside, would turn images by their EXIF orientation, which ImageFolder does not.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, Protocol

import torch
from PIL import Image

from moderate_cli.errors import ArgumentError
from moderate_cli.text import one_line

RGB = 3  # torchvision's number of that mode

with warnings.catch_warnings():
    # torch warns, once, that bytes cannot be written; decoders only read them.
    warnings.simplefilter("ignore")
    torch.frombuffer(b"\0", dtype=torch.uint8)


class Decoder(Protocol):
    """Decodes JPEGs on a device."""

    @property
    def name(self) -> str:
        """The device's name: models differ in their pixels."""

    @property
    def device(self) -> torch.device:
        """The device that decodes, and has the pixels."""

    def __call__(self, contents: list[torch.Tensor]) -> list[torch.Tensor]:
        """Decode JPEGs, uint8 (bytes,) in main memory, to uint8 (3, height, width) on the device.

        Raises
        ------
        RuntimeError
            If one of them cannot be decoded.
        """


def find_decoder(device: str) -> Decoder:
    """Return the decoder of the GPU, once it has decoded an image.

    Parameters
    ----------
    device
        "auto", "cuda", or the number of a GPU, such as "cuda:1".

    Raises
    ------
    ArgumentError
        If there is no GPU, or torchvision cannot decode on it.
    """
    if device in ("cpu", "mps"):
        raise ArgumentError(f"--decode gpu: excludes --device {device}; use --decode full")
    if not torch.cuda.is_available():
        raise ArgumentError("--decode gpu: torch finds no GPU; use --decode full --device cpu")
    try:
        import torchvision  # noqa: F401  registers the operator

        decoder = NvJpeg(torch.ops.image.decode_jpegs_cuda, "cuda" if device == "auto" else device)
        decoder([as_tensor(_some_jpeg())])
    except (ImportError, AttributeError, RuntimeError) as error:
        raise ArgumentError(
            f"--decode gpu: torchvision cannot decode on this GPU ({one_line(error)}); use --decode"
            " full"
        ) from None
    return decoder


class NvJpeg:
    """nvJPEG, by torchvision's operator, which decodes one batch at a time."""

    def __init__(self, operator: Any, device: str) -> None:
        self._operator = operator
        number = torch.device(device).index
        number = torch.cuda.current_device() if number is None else number
        self.name = torch.cuda.get_device_name(number)
        self.device = torch.device("cuda", number)

    def __call__(self, contents: list[torch.Tensor]) -> list[torch.Tensor]:
        """Decode JPEGs; returns when the processor's part of it is done."""
        found: list[torch.Tensor] = self._operator(contents, RGB, self.device)
        return found


def _some_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (256, 256)).save(file, "JPEG")
    return file.getvalue()


def as_tensor(content: bytes) -> torch.Tensor:
    """Return bytes as a tensor, uint8 (bytes,), without a copy."""
    return torch.frombuffer(content, dtype=torch.uint8)
