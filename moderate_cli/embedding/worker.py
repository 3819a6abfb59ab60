"""A process of a cluster that holds the backbone once, and embeds the blocks it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch

from moderate_cli.dataset import Dataset
from moderate_cli.embedding.blocks import Block, EmbeddedBlock
from moderate_cli.embedding.job import Job
from moderate_cli.embedding.local import embed_blocks
from moderate_cli.networks.backbones import Network
from moderate_cli.store.manifest import Manifest


class Embedder:
    """The backbone of a job, on `job.threads` processors.

    Parameters
    ----------
    job
        Its dataset may be without samples.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    @cached_property
    def _loaded(self) -> tuple[Network, Manifest]:
        torch.set_num_threads(self._job.threads)
        return self._job.load()

    @property
    def manifest(self) -> Manifest:
        """What the features are; `rows` is not to be trusted."""
        return self._loaded[1]

    def embed(self, images: Dataset, blocks: Sequence[Block]) -> Iterator[EmbeddedBlock]:
        """Embed blocks, one after another.

        Parameters
        ----------
        images
            Those of the blocks alone, in their order.
        blocks
            With the rows that the images have in the whole dataset.
        """
        ends = np.cumsum([len(rows) for _, rows in blocks])
        own = [
            (number, np.arange(end - len(rows), end))
            for (number, rows), end in zip(blocks, ends.tolist(), strict=True)
        ]
        embedded = embed_blocks(
            images,
            own,
            self._loaded[0],
            max_pixels=self._job.max_pixels,
            workers=self._job.threads,
            on_image=_nothing,
        )
        for block, (_, rows) in zip(embedded, blocks, strict=True):
            row_of = dict(zip(block.rows.tolist(), rows.tolist(), strict=True))
            unreadable = {row_of[row]: why for row, why in block.unreadable.items()}
            yield block._replace(rows=rows, unreadable=unreadable)


def _nothing() -> None:
    pass
