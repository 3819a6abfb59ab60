import pytest
import torch

from moderate_cli.networks.arithmetic import computes, fast_precisions

EPYC_ZEN1 = {"architecture": "x86_64", "avx2": True, "avx512_f": False, "avx512_bf16": False}
SKYLAKE_X = {"architecture": "x86_64", "avx2": True, "avx512_f": True}
ZEN4 = SKYLAKE_X | {"avx512_bf16": True, "avx512_fp16": False}
SAPPHIRE_RAPIDS = ZEN4 | {"avx512_fp16": True, "amx_bf16": True}
GRANITE_RAPIDS = SKYLAKE_X | {"amx_bf16": True, "amx_fp16": True}
NEOVERSE_N1 = {"architecture": "aarch64", "neon": True, "fp16_arith": True, "bf16": False}
NEOVERSE_V1 = NEOVERSE_N1 | {"bf16": True}


@pytest.mark.parametrize(
    ("processor", "bfloat16", "float16"),
    [
        (EPYC_ZEN1, False, False),
        (SKYLAKE_X, False, False),
        (ZEN4, True, False),
        (SAPPHIRE_RAPIDS, True, True),
        (GRANITE_RAPIDS, True, True),
        (NEOVERSE_N1, False, True),
        (NEOVERSE_V1, True, True),
        ({"architecture": "unknown"}, False, False),
    ],
)
def test_a_precision_needs_an_extension_of_the_processor(processor, bfloat16, float16, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor, raising=False)
    assert computes("float32")
    assert (computes("bfloat16"), computes("float16")) == (bfloat16, float16)
    names = ["float32", *["bfloat16"] * bfloat16, *["float16"] * float16]
    assert fast_precisions() == names


@pytest.mark.parametrize("answer", [True, False])
def test_older_versions_of_torch_are_asked_otherwise(answer, monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for name in ("bf16", "fp16"):
        monkeypatch.setattr(torch.ops.mkldnn, f"_is_mkldnn_{name}_supported", lambda: answer)
    assert computes("float32")
    assert computes("bfloat16") is computes("float16") is answer
