"""`embed`: the features of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack, overload

from moderate_cli.api.keywords import inputs_of
from moderate_cli.embedding import EmbedKeywords
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.estimate import Estimate, measure
from moderate_cli.fitting.resolving import resolve
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.datasets import feature_sets_of, listed
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.listening import SILENT, Listener, with_bars
from moderate_cli.store import FeatureStore
from moderate_cli.store.layout import store_folder


@overload
def embed(
    data: Data,
    *,
    part: None = None,
    cluster: Cluster | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[EmbedKeywords],
) -> FeatureStore: ...


@overload
def embed(
    data: Data,
    *,
    part: tuple[int, int],
    cluster: Cluster | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[EmbedKeywords],
) -> FeatureStore | None: ...


def embed(
    data: Data,
    *,
    part: tuple[int, int] | None = None,
    cluster: Cluster | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[EmbedKeywords],
) -> FeatureStore | None:
    """Bring the feature set of a dataset up to date, and open it.

    Nothing is computed twice. A complete set is opened without loading torch, and an interrupted
    one is continued. If files were added, changed or renamed, only new contents are embedded.

    Parameters
    ----------
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`.
    part
        Number of this part, from 1, and number of parts: embed only this part. Other processes, on
        any machine, embed the others into the same store, and the last one completes the set. A
        part that was killed can be run again; without `part`, `embed` does all that is missing.
        `check` must not be "content", because no part reads all images.
    cluster
        Ray cluster to use; None for this process.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`, such as `backbone`, `store` and `on_error`.

    Returns
    -------
    FeatureStore
        None for a `part` while other parts are missing, or while another process completes the set.

    Raises
    ------
    ArgumentError
        If an option is out of range.
    WeightsError
        If weights are missing, or do not fit the backbone.
    StoreError
        If the store cannot be written or belongs to another dataset, or parts of the set were
        embedded with other options.
    ClusterError
        If the cluster cannot be reached, has no room, or keeps losing its workers.
    DatasetError
        If images changed meanwhile; features computed so far are kept.
    UnreadableImages
        If there are any and `on_error` is "fail"; all others are embedded.

    Examples
    --------
    >>> embed("data/train", backbone="pixels")  # doctest: +ELLIPSIS
    FeatureStore(8 images, 192 features each, in ...train.moderate/pixels-float32-float16)
    """
    listener = with_bars(listener, progress)
    inputs = inputs_of(data, of=embed, **embedding)
    _, stores = feature_sets_of(
        inputs, listener=listener, part=part, cluster=cluster, labeled=False
    )
    return stores[0] if stores else None


def estimate(
    data: Data, *, listener: Listener = SILENT, **embedding: Unpack[EmbedKeywords]
) -> Estimate:
    """Estimate time and disk space of `embed` from a sample; write nothing.

    Takes a few seconds after the backbone is loaded.

    Parameters
    ----------
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`.
    listener
        Hears of oddities of the dataset.
    embedding
        Fields of `EmbedOptions`.

    Raises
    ------
    ModerateError
        As of `embed`.

    Examples
    --------
    >>> estimate("data/train", backbone="pixels").images
    8
    """
    return next(estimate_each(inputs_of(data, of=estimate, **embedding), listener))


def estimate_each(inputs: Inputs, listener: Listener = SILENT) -> Iterator[Estimate]:
    """Do the work of `estimate` for each backbone; list the dataset once.

    Parameters
    ----------
    inputs
        Name the dataset.
    listener
        Hears of oddities of the dataset.

    Raises
    ------
    ModerateError
        As of `embed`.
    """
    assert inputs.data is not None
    dataset = listed(inputs.data, inputs.embedding.store)
    folder = store_folder(dataset.home, inputs.embedding.store)
    listener.listed(dataset, name=name_of(inputs.data), store=folder)
    for options in inputs.embeddings:
        yield measure(dataset, resolve(dataset, options, listener, may_fit=False), listener)
