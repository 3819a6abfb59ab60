"""Settings of the Ray cluster that embeds, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from moderate_cli.errors import ArgumentError


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and its division among workers.

    Attributes
    ----------
    address
        HOST:PORT, as `ray start` prints it. None for RAY_ADDRESS of the environment; without that,
        a cluster of this machine alone is started, and ends with the embedding.
    gpus_per_worker
        GPUs of each worker, or a part of one; None for 1 if the cluster has any, else 0.
    num_workers
        Number of workers; None for as many as fit on the cluster.

    Examples
    --------
    >>> Cluster(gpus_per_worker=0.5).num_workers is None
    True
    """

    address: str | None = None
    gpus_per_worker: float | None = None
    num_workers: int | None = None

    def __post_init__(self) -> None:
        if self.gpus_per_worker is not None and self.gpus_per_worker < 0:
            raise ArgumentError(f"gpus_per_worker: {self.gpus_per_worker} is negative")
        if self.num_workers is not None and self.num_workers < 1:
            raise ArgumentError(f"num_workers: {self.num_workers} is not positive")
