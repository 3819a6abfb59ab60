"""What embeds: this process, or workers on a Ray cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moderate_cli.embedding.filling import EmbeddedBlock
from moderate_cli.embedding.job import Job
from moderate_cli.errors import ArgumentError
from moderate_cli.manifest import Manifest

Block = tuple[int, npt.NDArray[np.int64]]  # its number, and its rows that need embedding


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and what each worker on it shall have.

    Attributes
    ----------
    address
        Where it is, as `ray start` says; None for the environment's RAY_ADDRESS, or else for one
        of this machine alone, which ends with the embedding.
    gpus_per_worker
        GPUs, or a part of one; None for 1 where the cluster has any.
    num_workers
        None for as many as there is room for.
    """

    address: str | None = None
    gpus_per_worker: float | None = None
    num_workers: int | None = None

    def __post_init__(self) -> None:
        if self.gpus_per_worker is not None and self.gpus_per_worker < 0:
            raise ArgumentError(f"gpus_per_worker: {self.gpus_per_worker} is negative")
        if self.num_workers is not None and self.num_workers < 1:
            raise ArgumentError(f"num_workers: {self.num_workers} is not positive")


class Engine(Protocol):
    """What turns blocks of rows into features."""

    @property
    def manifest(self) -> Manifest:
        """What the features are."""

    @property
    def threads(self) -> int:
        """How many threads decode images, of all processes together."""

    def embed(
        self, blocks: Sequence[Block], on_image: Callable[[], None]
    ) -> Iterator[EmbeddedBlock]:
        """Embed blocks and yield them, in any order; `on_image` is called after each image."""


@contextlib.contextmanager
def open_engine(job: Job, cluster: Cluster | None) -> Iterator[Engine]:
    """Load the backbone, here or on a cluster, for as long as the block lasts."""
    if cluster is None:
        yield LocalEngine(job)
        return
    from moderate_cli.embedding.ray import connected

    with connected(job, cluster) as engine:
        yield engine


class LocalEngine:
    """The process that asks for it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._network, self.manifest = job.load()
        self.threads = job.threads

    def embed(
        self, blocks: Sequence[Block], on_image: Callable[[], None]
    ) -> Iterator[EmbeddedBlock]:
        """Embed blocks, one after another."""
        # torch takes seconds to load, so it is loaded only where something is to be embedded.
        from moderate_cli.embedding.local import embed_blocks

        return embed_blocks(
            self._job.dataset,
            blocks,
            self._network,
            max_pixels=self._job.max_pixels,
            workers=self.threads,
            on_image=on_image,
        )
