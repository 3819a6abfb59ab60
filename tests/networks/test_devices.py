"""Errors of devices."""

import pytest
import torch

from moderate_cli.cli.values import Device
from moderate_cli.embedding import EmbedOptions
from moderate_cli.errors import ArgumentError, DeviceError
from moderate_cli.images.nvjpeg import NvJpeg, find_decoder
from moderate_cli.networks import arithmetic, backbones, runtimes
from moderate_cli.networks.backbones import find_device, load_network
from moderate_cli.networks.devices import explained, memory_told, order_of
from moderate_cli.networks.table import FeatureSpec
from moderate_cli.training.descent import computes_in_half
from moderate_cli.training.placing import placed

ADVICE = "use a smaller --batch-size"
CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
ILLEGAL = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), f"the GPU is out of memory; {ADVICE}"),
        (RuntimeError("CUDA error: out of memory"), f"the GPU is out of memory; {ADVICE}"),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
            f"the GPU is out of memory; {ADVICE}",
        ),
        (MemoryError(), f"out of memory; {ADVICE}"),
        (RuntimeError(CPU), f"out of memory; {ADVICE}"),
        (
            RuntimeError(ILLEGAL),
            "the GPU failed (CUDA error: an illegal memory access was encountered); use --device"
            " cpu",
        ),
        (
            torch.AcceleratorError("CUDA error: device-side assert triggered\nCompile with"),
            "the GPU failed (CUDA error: device-side assert triggered); use --device cpu",
        ),
        (
            RuntimeError("MPS backend out of memory (MPS allocated: 9.06 GB)"),
            f"the GPU is out of memory; {ADVICE}",
        ),
    ],
)
def test_only_lack_of_memory_is_answered_with_advice_for_it(error, said):
    with pytest.raises(DeviceError) as caught, explained(ADVICE):
        raise error
    assert str(caught.value) == said


def test_errors_of_ours_are_not_a_devices():
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes"), explained(ADVICE):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


@pytest.mark.parametrize("shape", [(2**45,), (2**40, 2**40)])
def test_a_failed_allocation_of_torch_is_lack_of_memory(shape):
    with pytest.raises(MemoryError), memory_told():
        torch.empty(shape)


@pytest.fixture
def machine(monkeypatch):
    """Let torch find so many GPUs of CUDA, and one of a Mac or none."""

    def set_up(gpus, mps):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return set_up


@pytest.mark.parametrize(
    ("gpus", "mps", "found"),
    [(2, True, "cuda"), (1, False, "cuda"), (0, True, "mps"), (0, 0, "cpu")],
)
def test_the_best_device_is_found(machine, gpus, mps, found):
    machine(gpus, mps)
    assert find_device("auto") == torch.device(found)


def test_a_device_that_is_there_is_taken(machine):
    machine(2, True)
    for name in ("cpu", "mps", "cuda", "cuda:0", "cuda:1"):
        assert find_device(name) == torch.device(name)


@pytest.mark.parametrize(
    ("gpus", "name", "said"),
    [
        (0, "cuda", "--device cuda: torch finds no GPU; use --device cpu"),
        (0, "cuda:1", "--device cuda:1: torch finds no GPU; use --device cpu"),
        (1, "cuda:1", "--device cuda:1: torch finds 1 GPU; use cuda:0"),
        (2, "cuda:9", "--device cuda:9: torch finds 2 GPUs; use cuda:0 to cuda:1"),
        (1, "mps", "--device mps: torch finds no GPU of a Mac; use --device cpu"),
    ],
)
def test_a_device_that_is_missing_is_refused_in_a_line(machine, gpus, name, said):
    machine(gpus, False)
    EmbedOptions(device=name)
    with pytest.raises(ArgumentError) as caught:
        find_device(name)
    assert str(caught.value) == said


CHOICES = "choose one of auto, cpu, cuda, mps, cuda:N"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpu", f"did you mean cuda? C{CHOICES[1:]}"),
        ("cuda1", f"did you mean cuda? C{CHOICES[1:]}"),
        ("cuda:x", f"did you mean cuda:N or cuda? C{CHOICES[1:]}"),
        ("tpu", CHOICES),
        ("mps:0", f"did you mean mps? C{CHOICES[1:]}"),
        ("", CHOICES),
    ],
)
def test_a_name_of_no_device_is_refused_everywhere(name, said):
    for work in (find_device, lambda name: EmbedOptions(device=name)):
        with pytest.raises(ArgumentError) as caught:
            work(name)
        assert str(caught.value) == f"device: {name!r} is unknown; {said}"


def test_the_command_line_takes_a_number_and_names_what_is_near(moderate, tmp_path):
    assert Device().convert("cuda:1", None, None) == "cuda:1"
    assert moderate("embed", "--device", "gpu", tmp_path).stderr == (
        f"moderate: error: --device: 'gpu' is unknown; did you mean cuda?"
        f" C{CHOICES[1:]} (see 'moderate embed --help')\n"
    )


def test_the_gpu_of_a_mac_computes_in_float32_and_where_it_can_in_others(machine, monkeypatch):
    machine(0, True)
    mps = torch.device("mps")
    assert runtimes.choose_runtime("auto", mps, FeatureSpec()).name == "torch"
    half = FeatureSpec(precision="float16")
    with pytest.raises(ArgumentError) as caught:  # no such GPU here: the trial fails
        runtimes.choose_runtime("auto", mps, half)
    assert str(caught.value) == (
        "--precision float16: this GPU does not compute in it; use --precision float32"
    )
    monkeypatch.setattr(arithmetic, "_computes_there", lambda precision, _: precision == "float16")
    assert runtimes.choose_runtime("auto", mps, half).name == "torch"
    assert not computes_in_half(mps, 32)


def test_a_trial_of_a_precision_computes(monkeypatch):
    assert arithmetic._computes_there("float32", torch.device("cpu"))
    assert not arithmetic._computes_there("float32", torch.device("mps"))


def test_a_network_goes_to_the_gpu_of_a_mac_without_streams(machine, monkeypatch):
    machine(0, True)
    seen = []

    def start(module, preprocessing, precision, device):
        seen.append(device)
        return lambda images: lambda: images

    monkeypatch.setattr(backbones, "torch_start", start)
    assert load_network(FeatureSpec("pixels"), device="mps").batch_size == 64
    assert seen == [torch.device("mps")]
    orders = [order_of(torch.device(name)) for name in ("mps", "cpu", "cuda")]
    assert orders == [torch.contiguous_format, torch.channels_last, torch.channels_last]


def test_features_come_back_from_any_device():
    images = torch.arange(2 * 192, dtype=torch.uint8).reshape(2, 3, 8, 8)
    start = runtimes.torch_start(*backbones._pixels()[:2], "float32", torch.device("cpu"))
    assert torch.equal(start(images)(), images.flatten(1) / 255)


def test_training_data_go_to_a_mac_if_they_take_half_of_its_memory(monkeypatch):
    tensor, moved = torch.zeros(100, dtype=torch.uint8), []
    monkeypatch.setattr(torch.Tensor, "to", lambda own, device: moved.append(device) or own)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 50)
    for most in (249, 250):
        monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda most=most: most)
        placed(tensor, torch.device("mps"))
    assert moved == [torch.device("mps")]


def test_the_second_gpu_decodes_if_it_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    second = NvJpeg(None, "cuda:1")
    assert (second.name, second.device) == ("GPU 1", torch.device("cuda:1"))
    assert NvJpeg(None, "cuda").device == torch.device("cuda:0")
    with pytest.raises(ArgumentError, match="--decode gpu: excludes --device mps; use"):
        find_decoder("mps")
