"""The engine that spreads blocks over a Ray cluster: actors hold the backbone, this process writes.

Each actor is given a run of blocks, and streams them back as they get done; it rests while two that
are done were not yet taken. A run that ends with its actor, or the node that it was on, is given to
others, but for what had come back; and another actor is asked for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.embedding.blocks import Block, EmbeddedBlock
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.job import Job
from moderate_cli.errors import ArgumentError, ClusterError, ModerateError
from moderate_cli.store.manifest import Manifest
from moderate_cli.threads import processors, take_share

if TYPE_CHECKING:
    from moderate_cli.embedding.worker import Embedder

RUN = 16  # blocks that an actor is given at once, at most
UNTAKEN = 2  # blocks that wait for this process, from each actor
TRIES = 3  # actors that one block may take with it
PATIENCE = 60.0  # seconds in which the first actor must find room, and a cluster answer
# What a cluster of this machine alone is started with.
OWN_CLUSTER = {
    "object_store_memory": 1 << 30,  # bytes for blocks under way
    # Even without the dashboard Ray starts its process, which asks the metadata servers of clouds
    # whether this machine is one of theirs. It cannot listen on this port, and Ray does without.
    "include_dashboard": False,
    "dashboard_port": -1,
}


@contextlib.contextmanager
def connected(job: Job, cluster: Cluster) -> Iterator[RayEngine]:
    """Connect to a cluster, or start one on this machine, for as long as the block lasts.

    Raises
    ------
    ArgumentError
        If Ray is not installed.
    ClusterError
        If the cluster cannot be reached, or has no room for a worker.
    """
    # Set before Ray is loaded, which reads it then; 1 is the user's own word.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    if address in (None, "", "local"):
        address = None
        # Else Ray writes one into the home of the user, and leaves it there.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
    try:
        import ray
    except ImportError:
        raise ArgumentError(
            "--engine ray: is not installed; pip install 'moderate-cli[ray]'"
        ) from None
    with _quiet():
        _connect(address)
        try:
            engine = RayEngine(job, cluster)
            try:
                yield engine
            finally:
                engine.dismiss()
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from writing to stdout and stderr."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    # Ray prints there what befalls its workers; what this process has to say comes later.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            yield
        finally:
            logger.setLevel(level)


def _connect(address: str | None) -> None:
    import ray

    if address is not None and "://" in address:
        raise ClusterError(
            f"--ray-address {address}: Ray's client cannot stream; name a node's HOST:PORT, on a"
            " node of the cluster"
        )
    own = {} if address else {**OWN_CLUSTER, "num_cpus": processors()}
    before = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Ray's own old and new habits
            ray.init(
                address=address or "local",
                configure_logging=False,
                log_to_driver=False,
                **own,
            )
    except (RuntimeError, ValueError, OverflowError, OSError, ray.exceptions.RayError) as error:
        where = f"Ray at {address}: cannot be reached" if address else "Ray: cannot be started"
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise ClusterError(
            f"{where} ({reason}); `ray start --head` starts a cluster, and prints its address"
        ) from None
    finally:
        if callable(before):  # Ray's handler ends a process with exit status 1
            signal.signal(signal.SIGTERM, before)


def _knock(address: str | None) -> None:
    """Raise the system's error where nobody listens; Ray would go on trying for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


class Share(NamedTuple):
    """What each actor has, and how many there are."""

    cpus: int
    gpus: float
    actors: int


def share_of(nodes: Sequence[Mapping[str, float]], cluster: Cluster, threads: int | None) -> Share:
    """Divide a cluster among actors.

    Parameters
    ----------
    nodes
        Ray's resources of each node, "CPU" and "GPU" among them.
    cluster
        What is asked for.
    threads
        Processors for each actor; None for 1, or for as many as there are for each GPU.

    Raises
    ------
    ClusterError
        If there is no room for them.

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
    wanted = cluster.num_workers or max(room, 1)
    if room < wanted:
        have = ", ".join(
            f"{sum(node.get(name, 0) for node in nodes):g} {name}s" for name in ("CPU", "GPU")
        )
        what = f"{wanted} workers" if wanted > 1 else "a worker"
        raise ClusterError(
            f"Ray: no room for {what} of {cpus} CPUs and {gpus:g} GPUs each in {have} on"
            f" {len(nodes)} nodes; use fewer --num-workers, --gpus-per-worker or -j"
        )
    return Share(cpus, gpus, wanted)


def _room(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    room = node.get("CPU", 0) // cpus
    return int(min(room, node.get("GPU", 0) / gpus) if gpus else room)


class _Actor:
    """What Ray runs on a node; torch is loaded there, once it has its place."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @cached_property
    def _embedder(self) -> Embedder:
        take_share(self._job.threads)
        from moderate_cli.embedding.worker import Embedder

        return Embedder(self._job)

    def arrive(self) -> None:
        """Tell that there is room."""

    def manifest(self) -> Manifest:
        """Load the backbone."""
        return self._embedder.manifest

    def embed(self, images: Dataset, blocks: Sequence[Block]) -> Iterator[EmbeddedBlock]:
        """Embed a run of blocks."""
        yield from self._embedder.embed(images, blocks)


class _Run(NamedTuple):
    """Blocks that an actor is at; those that came back are removed."""

    actor: Any
    blocks: deque[Block]


class RayEngine:
    """Actors on a cluster that this process is connected to."""

    def __init__(self, job: Job, cluster: Cluster) -> None:
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = share_of(nodes, cluster, job.workers)
        self.threads = share.cpus * share.actors
        self._dataset = job.dataset
        # The samples are sent with the blocks that need them.
        self._job = replace(
            job,
            dataset=job.dataset.part(np.arange(0)),
            stats=job.stats[:0],
            workers=share.cpus,
            device="cuda" if share.gpus else "cpu",
            weights=os.path.realpath(job.weights) if job.weights is not None else None,
        )
        self._class = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus)(_Actor)
        self._arriving: dict[Any, Any] = {}  # what tells of its room -> actor
        self._loading: dict[Any, Any] = {}  # what will be its manifest -> actor
        self._idle: list[Any] = []
        self._running: dict[Any, _Run] = {}  # what streams its blocks -> run
        self._tries: Counter[int | None] = Counter()  # of a block; of none, while loading
        self._manifest: Manifest | None = None
        try:
            for _ in range(share.actors):
                self._hire()
            while not self._idle:
                self._await()
        except BaseException:
            self.dismiss()
            raise

    @property
    def manifest(self) -> Manifest:
        """What the features are."""
        assert self._manifest is not None
        return self._manifest

    def embed(
        self, blocks: Sequence[Block], on_image: Callable[[], None]
    ) -> Iterator[EmbeddedBlock]:
        """Embed blocks and yield them as they come back."""
        waiting = deque(blocks)
        while waiting or self._running:
            while waiting and self._idle:
                self._send(waiting)
            for block in self._await(waiting):
                for _ in block.rows:
                    on_image()
                yield block

    def dismiss(self) -> None:
        """End the actors, in a cluster that goes on."""
        import ray

        running = [run.actor for run in self._running.values()]
        for actor in (*self._arriving.values(), *self._loading.values(), *self._idle, *running):
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)

    def _hire(self) -> None:
        actor = self._class.remote(self._job)
        self._arriving[actor.arrive.remote()] = actor

    def _send(self, waiting: deque[Block]) -> None:
        """Give an idle actor a run; runs get shorter towards the end, so that all end together."""
        import ray

        actor = self._idle.pop()
        try:
            ray.get(actor.arrive.remote(), timeout=PATIENCE)
        except ray.exceptions.RayError:  # lost while it was idle, which is no fault of the blocks
            self._hire()
            return
        workers = 1 + len(self._idle) + len(self._running)
        count = max(1, min(RUN, len(waiting) // (2 * workers)))
        run = [waiting.popleft() for _ in range(count)]
        images = self._dataset.part(np.concatenate([rows for _, rows in run]))
        stream = actor.embed.options(
            num_returns="streaming", _generator_backpressure_num_objects=UNTAKEN
        ).remote(images, run)
        self._running[stream] = _Run(actor, deque(run))

    def _await(self, waiting: deque[Block] | None = None) -> list[EmbeddedBlock]:
        """Wait for the next thing to happen; return the block, if it is one that came back."""
        import ray

        start = time.monotonic()
        pending = [*self._arriving, *self._loading, *self._running]
        ready: list[Any] = []
        while not ready:
            ready, _ = ray.wait(pending, num_returns=1, timeout=1)  # a signal gets its turn
            alone = not self._running and not self._loading
            if not ready and alone and time.monotonic() - start > PATIENCE:
                raise ClusterError(
                    f"Ray: no worker found room within {PATIENCE:.0f} s"
                    f" ({_free(ray.available_resources())} are free); try when others are done"
                )
        event = ready[0]
        run = self._running.get(event)
        try:
            if run is not None:
                block: EmbeddedBlock = ray.get(next(event))
                assert block.block == run.blocks[0][0]
                run.blocks.popleft()
                self._running[event] = self._running.pop(event)  # the others first, next time
                return [block]
            if event in self._loading:
                self._check(ray.get(event))
                self._idle.append(self._loading.pop(event))
                self._tries[None] = 0  # so it can be loaded; a long run may lose many workers
            else:
                ray.get(event)
                actor = self._arriving.pop(event)
                self._loading[actor.manifest.remote()] = actor
        except StopIteration:
            del self._running[event]
            assert run is not None
            self._idle.append(run.actor)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ModerateError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            self._lose(event, error, waiting)
        return []

    def _check(self, manifest: Manifest) -> None:
        manifest = replace(manifest, rows=len(self._dataset))
        if self._manifest is None:
            self._manifest = manifest
        if manifest != self._manifest:
            raise ClusterError(
                f"Ray: workers disagree on the features ({manifest.runtime} and"
                f" {self._manifest.runtime}, for one); install the same on all nodes, or name a"
                " --runtime"
            )

    def _lose(self, event: Any, error: Exception, waiting: deque[Block] | None) -> None:
        """Put the blocks of an actor that is gone back, and ask for another."""
        lost = None
        run = self._running.pop(event, None)
        if run is not None and waiting is not None and run.blocks:
            lost = run.blocks[0][0]
            waiting.extendleft(reversed(run.blocks))
        self._loading.pop(event, None)
        self._arriving.pop(event, None)
        self._tries[lost] += 1
        if self._tries[lost] >= TRIES:
            what = "before they are ready" if lost is None else f"at block {lost} of the images"
            raise ClusterError(
                f"Ray: {TRIES} workers ended {what} ({_first_line(error)}); is there memory enough,"
                " and the same moderate on all nodes?"
            ) from None
        self._hire()


def _free(resources: Mapping[str, float]) -> str:
    return " and ".join(f"{resources.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
