"""Engines turn blocks of rows into features: in this process, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from moderate_cli.notices import Notice
from moderate_cli.store.blocks import Block, EmbeddedBlock
from moderate_cli.store.manifest import Manifest


class Engine(Protocol):
    """Turns blocks of rows into features."""

    @property
    def manifest(self) -> Manifest:
        """How the features are made."""

    @property
    def notices(self) -> Sequence[Notice]:
        """Facts about the backbone that the user should know."""

    @property
    def workers(self) -> int:
        """Number of threads or processes that decode images, on all machines together."""

    def embed(
        self, blocks: Sequence[Block], on_images: Callable[[int], object]
    ) -> Generator[EmbeddedBlock, None, None]:
        """Embed blocks and yield them, in any order.

        `on_images` is called with the number of images that are done since the last call.
        """
