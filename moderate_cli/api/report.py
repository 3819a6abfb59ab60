"""`report`: a page that shows a selection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Unpack

from moderate_cli.api.commands import made_by
from moderate_cli.api.keywords import SelectKeywords, check_keywords, inputs_of, split
from moderate_cli.api.select import select_each
from moderate_cli.charts.drawing import check_drawable
from moderate_cli.choosing import Selection
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.lifecycle import bring_up_to_date
from moderate_cli.errors import ArgumentError
from moderate_cli.guard import Guard
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.request import Data
from moderate_cli.listening import PATIENCE, SILENT, Listener, Recorder, with_bars
from moderate_cli.reporting import Subject, map_of, write_plots, write_report
from moderate_cli.reporting.evaluations import evaluations_in
from moderate_cli.reporting.findings import duplicates_in, suspects_in
from moderate_cli.reporting.projection import check_method
from moderate_cli.reporting.subject import Made
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import Choice
from moderate_cli.store import FeatureStore

PAGES = (".html", ".htm")


def report(
    data: Data,
    output: str | os.PathLike[str],
    *,
    png: str | os.PathLike[str] | None = None,
    map: str = "pca",
    keep_from: str | os.PathLike[str] | Sequence[str] | None = None,
    labels: str | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **options: Unpack[SelectKeywords],
) -> Selection:
    """Select images, and write an HTML report of the selection.

    The page says whether the selection is better than a random one, if `evaluate` has compared it,
    and shows likely label errors, the images that are kept and dropped, a map of the features,
    scores and counts per class. It works offline and needs no other file. Its date is today, or
    that of the environment variable `SOURCE_DATE_EPOCH`. Needs the extra `report`.

    Parameters
    ----------
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`.
    output
        Page to write, an `.html` file.
    png
        Folder to also write the plots to, as `.png` and `.svg` files.
    map
        How to place the images of the map: "pca", or "umap", which needs the extra `umap`.
    keep_from
        As in `select`.
    labels
        A table of corrected labels (`corrected.csv`), or "kmeans:K" to cluster the features into K
        classes.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    options
        Fields of `Choice` and of `EmbedOptions`, as in `select`; `ratio` is 0.3 by default.

    Returns
    -------
    Selection
        The selection that the page shows.

    Raises
    ------
    ModerateError
        As of `select`; or if libraries are missing, or a file cannot be written.

    Examples
    --------
    >>> report("data/train", "page.html", ratio=0.5, backbone="pixels")
    Selection(4 of 8 images in 3 classes, strategy moderate, criterion center)
    """
    listener = with_bars(listener, progress)
    if options.get("ratio") is None and options.get("count") is None:
        options["ratio"] = Fraction(3, 10)
    if isinstance(data, FeatureStore):
        raise ArgumentError(f"data: {data.folder} is a feature set; pass its dataset")
    check_keywords(report, options, SelectKeywords)
    choice, embedding = split(options)
    inputs = inputs_of(data, labels=labels, **embedding)
    return write(inputs, choice, output, png, listener, method=map, keep_from=keep_from)


def write(
    inputs: Inputs,
    choice: Choice,
    output: str | os.PathLike[str],
    png: str | os.PathLike[str] | None,
    listener: Listener,
    *,
    method: str = "pca",
    keep_from: str | os.PathLike[str] | Sequence[str] | None = None,
) -> Selection:
    """Do the work of `report`, with options as records."""
    check_page(output, png, method)
    guarding = _Guarding(listener, output, png)
    (selection,) = select_each(inputs, [choice], guarding, keep_from)
    made = made_by(inputs, selection.choice, output, method, keep_from)
    subject = _subject(inputs, selection, made, listener)
    projection = map_of(subject, method)
    # Evaluations are of one feature set.
    several = len(selection.source.sets) > 1
    evaluations = evaluations_in(None if several else subject.data.folder, subject.dataset)
    with listener.progress("pictures", delay=PATIENCE) as move:
        write_report(output, subject, projection, evaluations, on_progress=move)
    if png is not None:
        write_plots(png, subject, projection, evaluations)
    return selection


class _Guarding(Recorder):
    """Refuses, before any work, outputs that would harm the dataset or its store."""

    def __init__(
        self,
        listener: Listener,
        output: str | os.PathLike[str],
        png: str | os.PathLike[str] | None,
    ) -> None:
        super().__init__(listener)
        self._output, self._png = output, png

    def listed(self, dataset: Dataset, *, name: str, store: Path, clustered: bool = False) -> None:
        """Check, and pass on."""
        super().listed(dataset, name=name, store=store, clustered=clustered)
        guard = Guard()
        guard.add_dataset(dataset)
        guard.add_store(store)
        guard.check_file(self._output)
        if self._png is not None:
            guard.check_addition(self._png)


def check_page(
    output: str | os.PathLike[str], png: str | os.PathLike[str] | None, method: str = "pca"
) -> None:
    """Refuse a page or plots that cannot be made or written, before any work.

    Raises
    ------
    ArgumentError
        If the page has another suffix than .html or .htm, or the map cannot be made.
    OutputError
        If libraries are missing.
    """
    for destination in (output, png):
        if destination is not None:
            check_drawable(destination)
    if not os.fspath(output).lower().endswith(PAGES):
        raise ArgumentError(f"{os.fspath(output)}: must end in .html")
    check_method(method)


def _subject(inputs: Inputs, selection: Selection, made: Made, listener: Listener) -> Subject:
    """Return the facts of a report on a selection."""
    data = selection.source.sets[0]
    with listener.progress("suspects", unit="step", delay=PATIENCE) as move:
        suspects = suspects_in(data, on_progress=move)
    duplicates = selection.prepared.duplicates
    if duplicates is None:
        compared = _for_duplicates(inputs, selection, listener)
        with listener.progress("near duplicates", delay=PATIENCE) as move:
            duplicates = duplicates_in(compared, on_progress=move)
    return Subject(selection, suspects, duplicates, made, inputs.clusters is not None)


def _for_duplicates(inputs: Inputs, selection: Selection, listener: Listener) -> LabeledFeatures:
    """Return the features by which `duplicates` finds near duplicates with the same options."""
    source, options = selection.source, inputs.without_own().embeddings[0]
    if source.dataset is None or source.stores[0].manifest.spec.backbone == options.backbone:
        return source.sets[0]
    store = bring_up_to_date(source.dataset, options, listener=listener)
    assert store is not None
    return LabeledFeatures.of(store)
