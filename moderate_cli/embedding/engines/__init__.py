"""Engines turn blocks of rows into features: in this process, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from moderate_cli.store.blocks import Block, EmbeddedBlock
from moderate_cli.store.manifest import Manifest


class Engine(Protocol):
    """Turns blocks of rows into features."""

    @property
    def manifest(self) -> Manifest:
        """How the features are made."""

    @property
    def threads(self) -> int:
        """Number of threads that decode images, in all processes together."""

    def embed(
        self, blocks: Sequence[Block], on_image: Callable[[], object]
    ) -> Iterator[EmbeddedBlock]:
        """Embed blocks and yield them, in any order; `on_image` is called after each image."""
