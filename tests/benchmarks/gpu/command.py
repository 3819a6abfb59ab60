"""The command that measures a machine with a GPU."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import tempfile
from pathlib import Path

import click
import torch

from moderate_cli.images import nvjpeg
from moderate_cli.threads import processors
from tests.benchmarks.gpu import carrying, embedding, pieces, scoring
from tests.benchmarks.gpu.photos import make_photos, make_small
from tests.benchmarks.gpu.rows import Bench
from tests.decoders import OnProcessor

# Seconds for each step: its usual ones and some more.
STEPS = (
    (pieces.batch_size, 10),
    (pieces.gpu_pieces, 18),
    (pieces.pixels_apart, 6),
    (embedding.gpu_decoded, 20),
    (embedding.exact_decoding, 28),
    (embedding.pixels_scaling, 30),
    (pieces.forward, 20),
    (embedding.agreement, 12),
    (embedding.start, 30),
    (embedding.small_pngs, 12),
    (scoring.many_on_gpu, 20),
    (scoring.scores_on_gpu, 12),
    (scoring.scores_by_threads, 15),
    (embedding.bookkeeping, 12),
    (embedding.reading_threads, 6),
    (embedding.decoding_threads, 5),
    (carrying.carried, 12),
)


@click.command("gpu")
@click.option("--seconds", default=170.0, show_default=True, help="For all steps together.")
@click.option("--images", default=16_000, show_default=True, help="Photos; other sizes follow.")
@click.option("--only", multiple=True, help="Name of a step; repeat for several.")
@click.option("--json", "lines", type=click.Path(dir_okay=False), help="Write the lines here, too.")
def main(seconds: float, images: int, only: tuple[str, ...], lines: str | None) -> None:
    """Measure decoding, embedding and scoring on a machine with a GPU and many processors.

    Each figure is a line of JSON as soon as it is known, and all are in a table at the end. Without
    a GPU, a stand-in on the processor decodes, and figures are those of the processor.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with (
        tempfile.TemporaryDirectory() as folder,
        open(lines, "w") if lines else contextlib.nullcontext() as file,
    ):
        bench = Bench(Path(folder), device, images, seconds, file)
        bench.tell(**_machine(device))
        if device == "cpu":
            decoder = OnProcessor()
            nvjpeg.find_decoder = lambda _device: decoder
        bench.step(photos, 30)
        for work, room in STEPS:
            if not only or work.__name__ in only:
                bench.step(work, room)
        print(bench.table())


def photos(bench: Bench) -> None:
    """Make the photos."""
    make_photos(bench.folder / "photos", bench.images, "4:2:0")
    make_photos(bench.folder / "photos-444", bench.images, "4:4:4")
    make_small(bench.folder / "small", 3 * bench.images)


def _machine(device: str) -> dict[str, object]:
    """Name the machine and the versions."""
    model = "unknown"
    with contextlib.suppress(OSError):
        described = Path("/proc/cpuinfo").read_text()
        names = [line for line in described.splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    versions = {}
    for name in ("torch", "torchvision", "numpy", "pillow"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "gpu": torch.cuda.get_device_name() if device == "cuda" else "none",
        "processor": model,
        "processors": processors(),
        "load": os.getloadavg()[0],
        **versions,
    }
