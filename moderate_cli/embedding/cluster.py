"""Which Ray cluster embeds, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from moderate_cli.errors import ArgumentError


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
