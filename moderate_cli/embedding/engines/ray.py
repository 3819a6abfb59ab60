"""The engine of a Ray cluster: actors there run the backbone, this process writes the features.

Each actor gets a run of blocks, and streams back each one as soon as it is done; it pauses while
two finished blocks wait. If an actor or its node is lost, the remaining blocks of its run go to
other actors, and a new actor is started.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.engines.ray_cluster import (
    PATIENCE,
    connection,
    first_line,
    share_of,
)
from moderate_cli.embedding.request import Request
from moderate_cli.errors import ClusterError, ModerateError
from moderate_cli.notices import Notice
from moderate_cli.store.blocks import Block, EmbeddedBlock
from moderate_cli.store.manifest import Manifest
from moderate_cli.threads import take_share

if TYPE_CHECKING:
    from moderate_cli.embedding.engines.worker import Embedder

RUN = 16  # most blocks in a run
UNTAKEN = 2  # finished blocks of an actor that may wait for this process
TRIES = 3  # actors that may be lost at the same block


@contextlib.contextmanager
def connected(request: Request, cluster: Cluster) -> Iterator[RayEngine]:
    """Connect to a cluster, or start one on this machine, for as long as the context lasts.

    Raises
    ------
    ArgumentError
        If Ray is not installed.
    ClusterError
        If the cluster cannot be reached, or has no room for a worker.
    """
    with connection(cluster.address):
        engine = RayEngine(request, cluster)
        try:
            yield engine
        finally:
            engine.dismiss()


class _Actor:
    """A process that Ray runs on a node; it loads torch only there."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @cached_property
    def _embedder(self) -> Embedder:
        take_share(self._request.options.threads)
        from moderate_cli.embedding.engines.worker import Embedder

        return Embedder(self._request)

    def arrive(self) -> None:
        """Return as soon as Ray has found room for this actor."""

    def manifest(self) -> Manifest:
        """Load the backbone, and say how it makes features."""
        return self._embedder.manifest

    def embed(self, images: Dataset, blocks: Sequence[Block]) -> Iterator[EmbeddedBlock]:
        """Embed a run of blocks."""
        yield from self._embedder.embed(images, blocks)


class _Run(NamedTuple):
    """Blocks that an actor is embedding; a block that came back is removed."""

    actor: Any
    blocks: deque[Block]


class RayEngine:
    """Actors on the cluster that this process is connected to."""

    def __init__(self, request: Request, cluster: Cluster) -> None:
        import ray

        dataset, options = request.dataset, request.options
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = share_of(nodes, cluster, options.workers)
        self.workers = share.cpus * share.actors
        self._dataset = dataset
        # The images themselves are sent with their blocks.
        self._request = replace(
            request,
            dataset=dataset.part(np.arange(0)),
            stats=request.stats[:0],
            options=replace(
                options,
                workers=share.cpus,
                device="cuda" if share.gpus else "cpu",
                weights=os.path.realpath(options.weights) if options.weights is not None else None,
            ),
        )
        self._class = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus)(_Actor)
        self._arriving: dict[Any, Any] = {}  # future of `arrive` -> actor
        self._loading: dict[Any, Any] = {}  # future of its manifest -> actor
        self._idle: list[Any] = []
        self._running: dict[Any, _Run] = {}  # stream of its blocks -> run
        self._tries: Counter[int | None] = Counter()  # per block; None while loading
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
    def notices(self) -> Sequence[Notice]:
        """Facts about the backbone; workers tell none."""
        return ()

    @property
    def manifest(self) -> Manifest:
        """How the features are made."""
        assert self._manifest is not None
        return self._manifest

    def embed(
        self, blocks: Sequence[Block], on_images: Callable[[int], object]
    ) -> Generator[EmbeddedBlock, None, None]:
        """Embed blocks, and yield each as it comes back."""
        waiting = deque(blocks)
        while waiting or self._running:
            while waiting and self._idle:
                self._send(waiting)
            for block in self._await(waiting):
                on_images(len(block.rows))
                yield block

    def dismiss(self) -> None:
        """End the actors; the cluster may live on."""
        import ray

        running = [run.actor for run in self._running.values()]
        for actor in (*self._arriving.values(), *self._loading.values(), *self._idle, *running):
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)

    def _hire(self) -> None:
        actor = self._class.remote(self._request)
        self._arriving[actor.arrive.remote()] = actor

    def _send(self, waiting: deque[Block]) -> None:
        """Give an idle actor a run; the last runs are short, so that all actors end together."""
        import ray

        actor = self._idle.pop()
        try:
            ray.get(actor.arrive.remote(), timeout=PATIENCE)
        except ray.exceptions.RayError:  # lost while it was idle; no block is to blame
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
        """Wait for the next event; return the block that came back, if any."""
        import ray

        start = time.monotonic()
        pending = [*self._arriving, *self._loading, *self._running]
        ready: list[Any] = []
        while not ready:
            ready, _ = ray.wait(pending, num_returns=1, timeout=1)  # signals are handled in between
            alone = not self._running and not self._loading
            if not ready and alone and time.monotonic() - start > PATIENCE:
                raise ClusterError(
                    f"Ray: no worker found room within {PATIENCE:.0f} s"
                    f" ({_free(ray.available_resources())} are free); try again when other jobs"
                    " are done"
                )
        event = ready[0]
        run = self._running.get(event)
        try:
            if run is not None:
                block: EmbeddedBlock = ray.get(next(event))
                assert block.block == run.blocks[0][0]
                run.blocks.popleft()
                self._running[event] = self._running.pop(event)  # last in turn, next time
                return [block]
            if event in self._loading:
                self._check(ray.get(event))
                self._idle.append(self._loading.pop(event))
                self._tries[None] = (
                    0  # the backbone can be loaded; a long run may lose many workers
                )
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
                f"Ray: workers make different features (e.g. by {manifest.runtime} and"
                f" {self._manifest.runtime}); install the same packages on all nodes, or pass"
                " --runtime"
            )

    def _lose(self, event: Any, error: Exception, waiting: deque[Block] | None) -> None:
        """Take back the blocks of a lost actor, and start another."""
        lost = None
        run = self._running.pop(event, None)
        if run is not None and waiting is not None and run.blocks:
            lost = run.blocks[0][0]
            waiting.extendleft(reversed(run.blocks))
        self._loading.pop(event, None)
        self._arriving.pop(event, None)
        self._tries[lost] += 1
        if self._tries[lost] >= TRIES:
            when = "before they were ready" if lost is None else f"at block {lost} of the images"
            raise ClusterError(
                f"Ray: {TRIES} workers were lost {when} ({first_line(error)}); check that they have"
                " enough memory, and that all nodes have the same version of moderate"
            ) from None
        self._hire()


def _free(resources: Mapping[str, float]) -> str:
    return " and ".join(f"{resources.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
