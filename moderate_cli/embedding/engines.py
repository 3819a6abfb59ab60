"""What embeds: this process, or workers on a Ray cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from moderate_cli.embedding.blocks import Block, EmbeddedBlock
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.job import Job
from moderate_cli.store.manifest import Manifest


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
