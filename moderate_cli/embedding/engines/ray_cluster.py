"""Connect to a Ray cluster, and divide it among workers."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from moderate_cli.embedding.cluster import Cluster
from moderate_cli.errors import ArgumentError, ClusterError
from moderate_cli.text import counted
from moderate_cli.threads import processors

PATIENCE = 60.0  # seconds for the first actor to find room, and for a cluster to answer
# Options of a cluster of this machine alone.
OWN_CLUSTER = {
    "object_store_memory": 1 << 30,  # bytes, for blocks on their way
    # Even without the dashboard, Ray starts its process, which asks the metadata servers of clouds
    # about this machine. With this port it cannot start, and Ray works without it.
    "include_dashboard": False,
    "dashboard_port": -1,
}


@contextlib.contextmanager
def connection(address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine, for as long as the context lasts.

    Raises
    ------
    ArgumentError
        If Ray is not installed.
    ClusterError
        If the cluster cannot be reached.
    """
    # Ray reads this when it is loaded; a user may have set it to 1.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS")
    if address in (None, "", "local"):
        address = None
        # Else Ray writes a token into the user's home, and leaves it there.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
    try:
        import ray
    except ImportError:
        raise ArgumentError("Ray: is not installed; pip install 'moderate-cli[ray]'") from None
    with _quiet():
        _connect(address)
        try:
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from writing to stdout and to its log."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    # Ray prints to stdout when it loses workers; this process itself prints only later.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            yield
        finally:
            logger.setLevel(level)


def _connect(address: str | None) -> None:
    import ray

    if address is not None and "://" in address:
        raise ClusterError(
            f"--ray-address {address}: Ray's client cannot stream; run on a node of the cluster,"
            " with its HOST:PORT"
        )
    own = {} if address else {**OWN_CLUSTER, "num_cpus": processors()}
    before = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray warns of its own changes
            ray.init(
                address=address or "local",
                configure_logging=False,
                log_to_driver=False,
                **own,
            )
    except (RuntimeError, ValueError, OverflowError, OSError, ray.exceptions.RayError) as error:
        where = f"Ray at {address}: cannot be reached" if address else "Ray: cannot be started"
        reason = getattr(error, "strerror", None) or first_line(error)
        raise ClusterError(
            f"{where} ({reason}); `ray start --head` starts a cluster and prints its address"
        ) from None
    finally:
        if callable(before):  # Ray's handler ends a process with exit status 1
            signal.signal(signal.SIGTERM, before)


def _knock(address: str | None) -> None:
    """Raise the system's error if nobody listens there; Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


class Share(NamedTuple):
    """Processors and GPUs of each actor, and the number of actors."""

    cpus: int
    gpus: float
    actors: int


def share_of(nodes: Sequence[Mapping[str, float]], cluster: Cluster, threads: int | None) -> Share:
    """Divide a cluster among actors.

    Parameters
    ----------
    nodes
        Ray's resources of each node, including "CPU" and "GPU".
    cluster
        GPUs per worker, and the number of workers.
    threads
        Processors of each actor; None for 1, or for an even share per GPU.

    Raises
    ------
    ClusterError
        If they do not fit on the nodes.

    Examples
    --------
    >>> share_of([{"CPU": 8}, {"CPU": 8}], Cluster(), None)
    Share(cpus=1, gpus=0, actors=16)
    >>> share_of([{"CPU": 64, "GPU": 8}, {"CPU": 4}], Cluster(), None)
    Share(cpus=8, gpus=1, actors=8)
    """
    any_gpus = any(node.get("GPU", 0) for node in nodes)
    gpus = cluster.gpus_per_worker
    if gpus is None:
        gpus = 1 if any_gpus else 0
    cpus = threads or 1
    if threads is None and gpus:
        with_gpus = [node for node in nodes if node.get("GPU", 0) >= gpus]
        each = [node.get("CPU", 0) // max(node["GPU"] // gpus, 1) for node in with_gpus]
        cpus = max(int(min(each, default=1)), 1)
    room = sum(_room(node, cpus, gpus) for node in nodes)
    workers = cluster.num_workers or max(room, 1)
    if room < workers:
        have = ", ".join(
            f"{sum(node.get(name, 0) for node in nodes):g} {name}s" for name in ("CPU", "GPU")
        )
        number = counted(workers, "worker")
        raise ClusterError(
            f"Ray: no room for {number} of {cpus} CPUs and {gpus:g} GPUs each in {have} on"
            f" {len(nodes)} nodes; use fewer --num-workers, --gpus-per-worker or -j"
        )
    return Share(cpus, gpus, workers)


def _room(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    room = node.get("CPU", 0) // cpus
    return int(min(room, node.get("GPU", 0) / gpus) if gpus else room)


def first_line(error: BaseException) -> str:
    """Return the first line of an error of Ray, without its full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
