"""The engine of this process, and of processes that it starts to decode images."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Sequence

import torch

from moderate_cli.dataset import Dataset
from moderate_cli.embedding.engines.batches import embed_blocks, slab_rows
from moderate_cli.embedding.engines.crew import Crew
from moderate_cli.embedding.engines.gpu_decoding import GpuDecoding, named_after
from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.embedding.engines.hiring import LEAST_IMAGES, may_hire
from moderate_cli.embedding.engines.packing import rows_each
from moderate_cli.embedding.engines.slabs import memory_of
from moderate_cli.embedding.request import Request
from moderate_cli.images import nvjpeg
from moderate_cli.networks.backbones import find_device, load_network
from moderate_cli.networks.pinning import pinned
from moderate_cli.networks.table import GPU
from moderate_cli.notices import Notice
from moderate_cli.store.blocks import BLOCK_ROWS, Block, EmbeddedBlock
from moderate_cli.store.manifest import Manifest

PATIENCE = 3.0  # seconds of work that an interruption may cost


class LocalEngine:
    """The backbone of a request, loaded in this process. Close it after use.

    Parameters
    ----------
    request
        What is embedded.
    helper
        A helper that was started before, for processes that decode images.

    Attributes
    ----------
    manifest
        How the features are made.
    workers
        Number of threads or processes that decode images.
    network
        The backbone.
    """

    def __init__(self, request: Request, helper: Helper | None = None) -> None:
        dataset, options = request.dataset, request.options
        self.workers = options.threads
        # Before the weights are read, because they may be refused.
        self._device = find_device(options.device)
        gpu_decodes = request.spec.decode == GPU
        self._decoder = nvjpeg.find_decoder(options.device) if gpu_decodes else None
        network = load_network(
            request.spec,
            options.weights,
            device=options.device,
            runtime=options.runtime,
            # A batch never spans two blocks, and OpenVINO would pad it to its full size.
            batch_size=options.batch_size and min(options.batch_size, BLOCK_ROWS),
        )
        self.network = named_after(self._decoder, network) if self._decoder else network
        self.manifest = Manifest(
            spec=request.spec,
            weights=self.network.weights[0],
            weights_sha256=self.network.weights[1],
            runtime=self.network.runtime.name,
            preprocessing=self.network.preprocessing,
            rows=len(dataset),
            dim=self.network.dim,
            classes=dataset.classes,
            max_pixels=options.max_pixels,
        )
        self._dataset = dataset
        self._may_hire = may_hire(options, on_gpu=self._device.type != "cpu")
        self._helper = helper
        self._crew: Crew | None = None
        self._pinned = contextlib.ExitStack()

    @property
    def notices(self) -> Sequence[Notice]:
        """Facts about the backbone that the user should know."""
        name = self.manifest.spec.backbone
        return [Notice("unconverted", names=(name,))] if self.network.fallback else []

    def embed(
        self, blocks: Sequence[Block], on_images: Callable[[int], object]
    ) -> Generator[EmbeddedBlock, None, None]:
        """Embed blocks, one after another; slow ones in pieces."""
        yield from self.embed_of(self._dataset, blocks, on_images, PATIENCE)

    def embed_of(
        self,
        dataset: Dataset,
        blocks: Sequence[Block],
        on_images: Callable[[int], object],
        patience: float = math.inf,
    ) -> Generator[EmbeddedBlock, None, None]:
        """Embed blocks of another dataset than the request's."""
        decoding = None
        if self._decoder is not None:
            decoding = GpuDecoding(self._decoder, self.network, self.manifest.max_pixels)
        yield from embed_blocks(
            dataset,
            blocks,
            self.network,
            max_pixels=self.manifest.max_pixels,
            workers=self.workers,
            on_images=on_images,
            crew=self._crew_for(sum(len(rows) for _, rows in blocks)),
            decoding=decoding,
            patience=patience,
        )

    def prepare(self, images: int) -> None:
        """Wait until processes can decode, if so many images are worth them."""
        if crew := self._crew_for(images):
            crew.wait()

    def close(self) -> None:
        """End the processes."""
        self._pinned.close()
        if self._crew:
            self._crew.stop()
            self._crew = None

    def _crew_for(self, images: int) -> Crew | None:
        """Return the processes, started if so many images are worth them; None for threads."""
        if self._crew and self._crew.stopped:
            self._pinned.close()
            self._crew = None
        if not self._crew and self._may_hire and images >= LEAST_IMAGES:
            size, how = self.network.batch_size, self.network.preprocessing
            rows = slab_rows(size, self.workers, rows_each(how))
            with contextlib.suppress(OSError):  # threads need neither shared memory nor processes
                self._crew = Crew(rows, how.crop, self._helper)
                self._helper = None  # another crew has a helper of its own
                if self._decoder is None:  # the network gets its pixels from there
                    slab = torch.from_numpy(memory_of(self._crew.slab))
                    self._pinned.enter_context(pinned(slab, self._device))
        return self._crew
