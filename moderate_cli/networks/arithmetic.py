"""Precisions that this processor has arithmetic for."""

from __future__ import annotations

import torch

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.table import PRECISIONS

# Precision -> extensions of x86 and ARM processors, any of which is enough. Without them torch
# converts each number to float32 and back.
EXTENSIONS = {
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"),
    "float16": ("avx512_fp16", "amx_fp16", "fp16_arith"),
}
OLD_NAMES = {"bfloat16": "bf16", "float16": "fp16"}


def computes(precision: str) -> bool:
    """Whether this processor computes in one of `moderate_cli.networks.table.PRECISIONS`."""
    if precision not in EXTENSIONS:
        return True
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is None:  # of older versions; True, too, for AVX-512 alone
        old = getattr(torch.ops.mkldnn, f"_is_mkldnn_{OLD_NAMES[precision]}_supported")
        return bool(old())
    found = capabilities()
    return any(found.get(name) for name in EXTENSIONS[precision])


def check_arithmetic(precision: str, device: torch.device) -> None:
    """Refuse a precision that a device has no arithmetic for.

    All GPUs of CUDA compute in each.

    Raises
    ------
    ArgumentError
        With the reason.
    """
    if precision == "float32":
        return
    if device.type == "mps" and not _computes_there(precision, device):
        raise ArgumentError(
            f"--precision {precision}: this GPU does not compute in it; use --precision float32"
        )
    if device.type == "cpu" and not computes(precision):
        raise ArgumentError(
            f"--precision {precision}: this processor has no arithmetic for it, and would take 17"
            " to 20 times as long as in float32; use --precision float32"
        )


def _computes_there(precision: str, device: torch.device) -> bool:
    """Try a convolution, because it depends on the chip and on the version of macOS."""
    try:
        one = torch.ones((1, 1, 1, 1), dtype=getattr(torch, precision), device=device)
        return bool(torch.conv2d(one, one).item() == 1)
    except (RuntimeError, TypeError):
        return False


def fast_precisions() -> list[str]:
    """Return the precisions that this processor has arithmetic for."""
    return [precision for precision in PRECISIONS if computes(precision)]
