"""A dataset that a user names -> its feature sets, brought up to date."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from moderate_cli.arrays import Labels
from moderate_cli.dataset import Dataset, scan
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.remembering import folder_as_before, remember
from moderate_cli.dataset.sentences import several_labels
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.lifecycle import bring_up_to_date
from moderate_cli.errors import ArgumentError, DatasetError, OptionError, UnreadableImages
from moderate_cli.fitting.resolving import resolve
from moderate_cli.inputs.correcting import corrections_in
from moderate_cli.inputs.request import Data, Inputs, name_of
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice
from moderate_cli.store.feature_store import FeatureStore
from moderate_cli.store.layout import store_folder
from moderate_cli.text import printable, some


def feature_sets_of(
    inputs: Inputs,
    *,
    listener: Listener,
    check: Callable[[Labels, Sequence[str]], None] | None = None,
    part: tuple[int, int] | None = None,
    cluster: Cluster | None = None,
    labeled: bool = True,
) -> tuple[Dataset, list[FeatureStore]]:
    """List a dataset and bring its feature sets up to date, one per backbone.

    Parameters
    ----------
    inputs
        Name the dataset.
    listener
        Hears of the dataset before anything is embedded; may raise an error.
    check
        Called with labels and names of classes before anything is embedded; may raise an error.
    part, cluster
        As in `moderate_cli.embed`; with a part, incomplete sets are not returned.
    labeled
        Whether each image must have a class.

    Raises
    ------
    DatasetError
        If it is not a dataset, or no image of it can be read.
    UnreadableImages
        If there are any and `on_error` is "fail"; all others are embedded by then.
    """
    assert inputs.data is not None
    data, folder, clustered = inputs.data, inputs.embedding.store, inputs.clusters is not None
    with listener.progress("listing images", delay=1.0):
        dataset = listed(data, folder)
    name = name_of(data)
    if dataset.looks_like_class and not clustered and folder is None:
        raise DatasetError(
            f"{name}: looks like one class of {dataset.root.parent}; pass that, or --store DIR to"
            " treat this folder as a dataset"
        )
    if labeled and not clustered and (several := several_labels(dataset)) is not None:
        raise DatasetError(f"{name}: {several}")
    if dataset.listed is not None and not dataset.listed.labeled and labeled and not clustered:
        columns = some(list(map(printable, dataset.listed.columns)))
        told = f" (its columns: {columns}); name it with --label-column" if columns else "; add one"
        raise DatasetError(f"{name}: has no column of classes{told}, or use --labels kmeans:K")
    if shown := folder_as_before(dataset, data):
        listener.notice(Notice("images as before", names=(name, shown)))
    if inputs.corrections is not None:
        dataset = corrected(dataset, inputs.corrections, name, listener)
    listener.listed(
        dataset, name=name, store=store_folder(dataset.home, folder), clustered=clustered
    )
    if check is not None:
        left = slice(None) if dataset.corrections is None else ~dataset.corrections.left_out
        check(dataset.corrected_labels[left], dataset.classes)
    stores = []
    inputs = inputs.without_own() if clustered else inputs
    may_fit, used = part is None and cluster is None, set[str]()
    for named in inputs.embeddings:
        one = resolve(dataset, named, listener, may_fit=may_fit)
        if one.backbone in used:
            raise OptionError("{} is given twice", ("backbone", one.backbone))
        used.add(one.backbone)
        store = bring_up_to_date(dataset, one, part=part, cluster=cluster, listener=listener)
        if store is not None:
            stores.append(store)
    remember(dataset, store_folder(dataset.home, folder))
    if stores:
        top = name.rstrip("/") if dataset.listed is None else os.fspath(dataset.root)
        _refuse_unreadable(name, top, stores, inputs.embedding.on_error, listener)
        # Share the lists, so that millions of images are in memory only once.
        dataset = replace(dataset, paths=stores[0].paths, labels=stores[0].labels)
    return dataset, stores


def corrected(dataset: Dataset, file: str, name: str, listener: Listener) -> Dataset:
    """Return the dataset with the corrected labels of a file; errors as of `corrections_in`."""
    if dataset.flat:
        raise DatasetError(
            f"{file}: {name} has no classes to correct; pass {file} as DATA, with --images {name}"
        )
    found = corrections_in(
        file, dataset.paths, dataset.labels, dataset.classes, listener,
        name=name, root=str(dataset.root),
    )  # fmt: skip
    return replace(dataset, corrections=found)


def _refuse_unreadable(
    name: str, top: str, stores: Sequence[FeatureStore], on_error: str, listener: Listener
) -> None:
    """Refuse a dataset with unreadable images, or notify of them, as `on_error` says.

    Parameters
    ----------
    name
        The dataset's name, as the user wrote it.
    top
        The folder that paths are relative to.
    stores
        Its feature sets, one per backbone.
    on_error
        As in `EmbedOptions`.
    listener
        Hears how many images were skipped.

    Raises
    ------
    UnreadableImages
        If there are any, and `on_error` is "fail".
    DatasetError
        If no image can be read.
    """
    images = len(stores[0])
    reasons = {
        f"{top}/{store.paths[row]}": reason
        for store in stores
        for row, reason in store.unreadable.items()
    }
    if reasons and on_error == "fail":
        raise UnreadableImages(reasons)
    if len(reasons) == images:
        raise DatasetError(
            f"{name}: none of its {images} images can be read; --on-error fail says why"
        )
    if reasons:
        listener.notice(Notice("unreadable", count=len(reasons), of=images))


def listed(data: Data | FeatureStore, store: str | os.PathLike[str] | None = None) -> Dataset:
    """List a dataset, unless it is a `Dataset` already; refuse a folder of splits.

    `store` is the folder of its features; None for the one beside it.

    Raises
    ------
    ArgumentError
        If it is a feature set.
    DatasetError
        If it is not a dataset.
    """
    if isinstance(data, FeatureStore):
        raise ArgumentError(f"data: {data.folder} is a feature set; pass its dataset")
    if isinstance(data, (str, os.PathLike)):
        data = NamedDataset.of(data, store)
    dataset, name = data if isinstance(data, Dataset) else scan(data), name_of(data)
    if dataset.looks_like_splits:
        splits = [one for one in dataset.classes if one not in dataset.empty_classes]
        splits.sort(key=lambda one: "train" not in one.lower())  # the part to select from first
        raise DatasetError(
            f"{name}: contains splits ({some(splits)}), not classes; pass one of them, e.g."
            f" {name.rstrip('/')}/{splits[0]}"
        )
    return dataset


def same_data(one: Data | FeatureStore, other: Data | FeatureStore) -> bool:
    """Whether two names are of one dataset."""
    names = [name_of(one), name_of(other)]
    if any("://" in name for name in names):
        return names[0].rstrip("/") == names[1].rstrip("/")
    return os.path.realpath(names[0]) == os.path.realpath(names[1])
