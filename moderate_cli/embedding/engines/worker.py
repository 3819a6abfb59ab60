"""The part of the Ray engine that runs on the nodes: it embeds blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from moderate_cli.dataset import Dataset
from moderate_cli.embedding.engines.local import LocalEngine
from moderate_cli.embedding.request import Request
from moderate_cli.store.blocks import Block, EmbeddedBlock
from moderate_cli.store.manifest import Manifest


class Embedder:
    """The backbone of a request, on as many processors as its options allow threads.

    Parameters
    ----------
    request
        Its dataset may be empty.
    """

    def __init__(self, request: Request) -> None:
        torch.set_num_threads(request.options.threads)
        self._engine = LocalEngine(request)

    @property
    def manifest(self) -> Manifest:
        """How the features are made; its `rows` is not used."""
        return self._engine.manifest

    def embed(self, images: Dataset, blocks: Sequence[Block]) -> Iterator[EmbeddedBlock]:
        """Embed blocks, one after another.

        Parameters
        ----------
        images
            Only the images of the blocks, in their order.
        blocks
            Their rows count in the whole dataset.
        """
        ends = np.cumsum([len(rows) for _, rows in blocks])
        own = [
            (number, np.arange(end - len(rows), end))
            for (number, rows), end in zip(blocks, ends.tolist(), strict=True)
        ]
        embedded = self._engine.embed_of(images, own, _nothing)
        for block, (_, rows) in zip(embedded, blocks, strict=True):
            row_of = dict(zip(block.rows.tolist(), rows.tolist(), strict=True))
            unreadable = {row_of[row]: why for row, why in block.unreadable.items()}
            yield block._replace(rows=rows, unreadable=unreadable)


def _nothing(_images: int) -> None:
    pass
