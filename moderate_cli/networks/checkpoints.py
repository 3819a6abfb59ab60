"""Weights file -> tensors by name; no code in the file is run."""

from __future__ import annotations

import errno
import io
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from moderate_cli.errors import WeightsError
from moderate_cli.files.near import near_or
from moderate_cli.files.regular import check_regular
from moderate_cli.text import clipped, one_line

StateDict = Mapping[str, torch.Tensor]

# Names of the state dict in checkpoints of training programs.
WRAPPINGS = ("state_dict", "model_state_dict", "model", "net", "network", "module")
DEEPEST = 4  # nested wrappings; a damaged one may contain itself
COMPILED = re.compile(r"(^|\.)_orig_mod\.")  # added to names by torch.compile
FOREIGN = re.compile(r"GLOBAL (\S+) was not an allowed global")
REASON = re.compile(r"WeightsUnpickler error:\s*(\S[^\n]*)")
ADVICE = "save model.state_dict()"


def read_state_dict(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict, plain or inside a training checkpoint.

    Raises
    ------
    WeightsError
        If the file contains anything else, or tensors that are not plain.
    """
    shown = os.fspath(path)
    content = _unwrapped(load_file(path))
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{shown}: is not a state dict; {ADVICE}")
    size = Path(path).stat().st_size
    for name, value in content.items():
        if not isinstance(name, str):
            found = clipped(repr(name))
            raise WeightsError(f"{shown}: is not a plain state dict (a key is {found}); {ADVICE}")
        oddity = _oddity(value, size)
        if oddity:
            found = clipped(name)
            raise WeightsError(
                f"{shown}: is not a plain state dict ({found} is {oddity}); {ADVICE}"
            )
    return {COMPILED.sub(r"\1", name): value for name, value in content.items()}


def saved(content: Any) -> memoryview:
    """Serialize plain data; torch would hide the errors of a file, such as a full disk."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getbuffer()


def why(error: BaseException) -> str:
    """Return a short reason why torch cannot load a file; its own message is long."""
    text = str(error)
    found = REASON.search(text)
    return clipped(found[1] if found else one_line(error))


def load_file(path: str | os.PathLike[str]) -> Any:
    """Read the content of a file of torch or safetensors.

    Raises
    ------
    WeightsError
        If it contains more than plain data, or is damaged.
    """
    shown = os.fspath(path)
    try:
        check_regular(path)
    except OSError as error:
        advice = near_or(path, "name a weights file")
        raise WeightsError(f"{shown}: {error.strerror}; {advice}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which are read anyway
            if shown.endswith(".safetensors"):
                return _load_safetensors(shown)
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or one_line(error)
        if error.errno == errno.EINVAL:  # an offset that is not in the file
            raise WeightsError(f"{shown}: is damaged ({reason}); {ADVICE} again") from None
        raise WeightsError(f"{shown}: {reason}; name a weights file") from None
    except ImportError:
        raise WeightsError(f"{shown}: needs a package; pip install safetensors") from None
    except WeightsError:
        raise
    # A pickle is a program, so it may raise any exception.
    except Exception as error:
        foreign = FOREIGN.search(str(error))
        if foreign:
            raise WeightsError(
                f"{shown}: is a pickled model, or contains objects that are not tensors"
                f" ({clipped(foreign[1])}); {ADVICE}"
            ) from None
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            raise WeightsError(
                f"{shown}: needs more memory than there is; check that the file is complete"
            ) from None
        if "TorchScript" in str(error):
            raise WeightsError(
                f"{shown}: is a TorchScript program, not weights; {ADVICE}"
            ) from None
        raise WeightsError(
            f"{shown}: is not a weights file, or is damaged ({why(error)}); {ADVICE}"
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
    """Describe an entry of a file of `size` bytes, if it is not a plain tensor; else ""."""
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
    # Torch allocates as much memory as a damaged file asks for.
    if value.numel() * value.element_size() > size:
        return "larger than the file"
    return ""
