"""`report`: a page that shows a selection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Unpack

from moderate_cli.api.keywords import SelectKeywords, inputs_of, split
from moderate_cli.api.select import select_each
from moderate_cli.charts.drawing import check_drawable
from moderate_cli.choosing import Selection
from moderate_cli.choosing.preparing import PATIENCE
from moderate_cli.dataset import Dataset
from moderate_cli.embedding import bring_up_to_date
from moderate_cli.errors import ArgumentError
from moderate_cli.guard import Guard
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.request import Data
from moderate_cli.listening import SILENT, Listener, Recorder
from moderate_cli.reporting import Subject, map_of, write_plots, write_report
from moderate_cli.reporting.evaluations import evaluations_in
from moderate_cli.reporting.findings import duplicates_in, suspects_in
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection import Choice, written
from moderate_cli.store import FeatureStore

PAGES = (".html", ".htm")


def report(
    data: Data,
    output: str | os.PathLike[str],
    *,
    png: str | os.PathLike[str] | None = None,
    labels: str | None = None,
    listener: Listener = SILENT,
    **options: Unpack[SelectKeywords],
) -> Selection:
    """Select images, and write an HTML report of the selection.

    The page shows the distribution of scores, the counts per class, images that are kept, dropped
    or suspect, a map of the features, and the results of `evaluate`. It works offline and needs no
    other file. Needs the extra `report`.

    Parameters
    ----------
    data
        A `Dataset`, or a path or URL as for `scan`.
    output
        Page to write, an `.html` file.
    png
        Folder to also write the plots to, as `.png` and `.svg` files.
    labels
        "kmeans:K" to cluster the features into K classes.
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
    Selection: 4 of 8 images in 3 classes, strategy moderate, criterion center
    """
    if options.get("ratio") is None and options.get("count") is None:
        options["ratio"] = Fraction(3, 10)
    if isinstance(data, FeatureStore):
        raise ArgumentError(f"data: {data.folder} is a feature set; pass its dataset")
    choice, embedding = split(options)
    return write(inputs_of(data, labels=labels, **embedding), choice, output, png, listener)


def write(
    inputs: Inputs,
    choice: Choice,
    output: str | os.PathLike[str],
    png: str | os.PathLike[str] | None,
    listener: Listener,
) -> Selection:
    """Do the work of `report`, with options as records."""
    check_page(output, png)
    (selection,) = select_each(inputs, [choice], _Guarding(listener, output, png))
    subject = _subject(inputs, selection, listener)
    projection, evaluations = map_of(subject), evaluations_in(subject.data.folder)
    write_report(output, subject, projection, evaluations)
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


def check_page(output: str | os.PathLike[str], png: str | os.PathLike[str] | None) -> None:
    """Refuse a page or plots that cannot be written, before any work.

    Raises
    ------
    ArgumentError
        If the page has another suffix than .html or .htm.
    OutputError
        If libraries are missing.
    """
    for destination in (output, png):
        if destination is not None:
            check_drawable(destination)
    if not os.fspath(output).lower().endswith(PAGES):
        raise ArgumentError(f"{os.fspath(output)}: must end in .html")


def _subject(inputs: Inputs, selection: Selection, listener: Listener) -> Subject:
    """Return the facts of a report on a selection."""
    data, choice = selection.source.sets[0], selection.choice
    with listener.progress("suspects", unit="step", delay=PATIENCE) as move:
        suspects = suspects_in(data, on_progress=move)
    duplicates = selection.prepared.duplicates
    if duplicates is None:
        duplicates = duplicates_in(_for_duplicates(inputs, selection, listener))
    return Subject(
        selection,
        suspects,
        duplicates,
        _options(inputs, choice, selection.source.stores),
    )


def _for_duplicates(inputs: Inputs, selection: Selection, listener: Listener) -> LabeledFeatures:
    """Return the features by which `duplicates` finds near duplicates with the same options."""
    source, options = selection.source, inputs.without_own().embeddings[0]
    if source.dataset is None or source.stores[0].manifest.spec.backbone == options.backbone:
        return source.sets[0]
    store = bring_up_to_date(source.dataset, options, listener=listener)
    assert store is not None
    return LabeledFeatures.of(store)


def _options(inputs: Inputs, choice: Choice, stores: Sequence[FeatureStore]) -> dict[str, str]:
    """Return the options that led to the selection, named as on the command line."""
    centered = CRITERIA[choice.scored_by].centered
    named: dict[str, Any] = {
        "ratio": choice.ratio,
        "count": choice.count,
        "strategy": choice.strategy,
        "scope": "class" if choice.within_classes else "global",
        "balance": choice.balance,
        "quantile": choice.window_quantile if choice.strategy == "moderate" else None,
        "min-per-class": choice.min_per_class,
        "criterion": choice.scored_by,
        "drop-suspects": choice.dropped,
        "center": choice.center if centered else None,
        "metric": choice.metric if centered else None,
        "dedup": choice.dedup,
        "seed": choice.seed,
        "labels": inputs.labels,
        "backbone": ", ".join(store.manifest.spec.backbone for store in stores),
    }
    named |= {name: getattr(inputs.embedding, name) for name in ("precision", "dtype", "decode")}
    return {
        name: written(value) if isinstance(value, (Fraction, float)) else str(value)
        for name, value in named.items()
        if value is not None
    }
