"""A weights file -> its tensors by name; whatever else is in it is never run."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from moderate_cli.errors import WeightsError
from moderate_cli.files.regular import check_regular
from moderate_cli.text import clipped, one_line

StateDict = Mapping[str, torch.Tensor]

# What training programs call the state dict in a checkpoint.
WRAPPINGS = ("state_dict", "model_state_dict", "model", "net", "network", "module")
DEEPEST = 4  # wrappings in each other; a damaged one may hold itself
COMPILED = re.compile(r"(^|\.)_orig_mod\.")  # what torch.compile puts into names
FOREIGN = re.compile(r"GLOBAL (\S+) was not an allowed global")
REASON = re.compile(r"WeightsUnpickler error:\s*(\S[^\n]*)")
ADVICE = "save model.state_dict()"


def read_state_dict(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict, as it is or inside the usual wrappings of a training checkpoint.

    Raises
    ------
    WeightsError
        If the file holds anything else, or tensors that are not plain ones.
    """
    shown = os.fspath(path)
    content = _unwrapped(_load(path))
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{shown}: is no state dict; {ADVICE}")
    size = Path(path).stat().st_size
    for name, value in content.items():
        if not isinstance(name, str):
            found = clipped(repr(name))
            raise WeightsError(f"{shown}: is no state dict (a key is {found}); {ADVICE}")
        oddity = _oddity(value, size)
        if oddity:
            found = clipped(name)
            raise WeightsError(f"{shown}: is no state dict ({found} is {oddity}); {ADVICE}")
    return {COMPILED.sub(r"\1", name): value for name, value in content.items()}


def why(error: BaseException) -> str:
    """Say in a few words why torch cannot load a file; its own text is an essay."""
    text = str(error)
    found = REASON.search(text)
    return clipped(found[1] if found else one_line(error))


def _load(path: str | os.PathLike[str]) -> Any:
    shown = os.fspath(path)
    try:
        check_regular(path)
    except OSError as error:
        raise WeightsError(f"{shown}: {error.strerror}; name a weights file") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which are read all the same
            if shown.endswith(".safetensors"):
                return _load_safetensors(shown)
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or one_line(error)
        if error.errno == errno.EINVAL:  # a place that is not in the file
            raise WeightsError(f"{shown}: is damaged ({reason}); {ADVICE} again") from None
        raise WeightsError(f"{shown}: {reason}; name a weights file") from None
    except ImportError:
        raise WeightsError(f"{shown}: needs a package; pip install safetensors") from None
    except WeightsError:
        raise
    # The file is a program for a small machine, so that what goes wrong may be of any kind.
    except Exception as error:
        foreign = FOREIGN.search(str(error))
        if foreign:
            raise WeightsError(
                f"{shown}: is a pickled model, or holds other objects than tensors"
                f" ({clipped(foreign[1])}); {ADVICE}"
            ) from None
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            raise WeightsError(
                f"{shown}: asks for more memory than there is; is it whole, and weights?"
            ) from None
        if "TorchScript" in str(error):
            raise WeightsError(
                f"{shown}: is a TorchScript program, not weights; {ADVICE}"
            ) from None
        raise WeightsError(
            f"{shown}: is no weights file, or is damaged ({why(error)}); {ADVICE}"
        ) from None


def _load_safetensors(path: str) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _unwrapped(content: Any) -> Any:
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping):
            break
        inner = [content.get(name) for name in WRAPPINGS]
        found = next((value for value in inner if isinstance(value, Mapping)), None)
        if found is None:
            break
        content = found
    return content


def _oddity(value: Any, size: int) -> str:
    """Say what an entry of a file of `size` bytes is, if it is no plain tensor."""
    if not isinstance(value, torch.Tensor):
        return clipped(f"of type {type(value).__name__}")
    if value.is_quantized:
        return "a quantized tensor"
    if value.is_nested or type(value) not in (torch.Tensor, torch.nn.Parameter):
        return "a tensor of tensors" if value.is_nested else f"a {type(value).__name__}"
    if value.layout != torch.strided:
        return "a sparse tensor"
    if value.device.type != "cpu":
        return "a tensor without values"
    # Torch makes room for whatever a damaged file says.
    if value.numel() * value.element_size() > size:
        return "larger than the file"
    return ""
