"""`suspects`: images that probably have a wrong label."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Unpack

import numpy as np

from moderate_cli.api.keywords import inputs_of
from moderate_cli.arrays import Rows
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.exporting.html import html_table
from moderate_cli.exporting.tables import Table
from moderate_cli.exporting.views import export_view
from moderate_cli.inputs import Source, open_source
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.label_errors.doubts import NoiseEstimate, noise_estimate
from moderate_cli.label_errors.suspects import Suspects, check_suspectable
from moderate_cli.listening import PATIENCE, SILENT, Listener, with_bars
from moderate_cli.selection import exact
from moderate_cli.selection.choice import Number
from moderate_cli.store import FeatureStore
from moderate_cli.words import say_noise

TABLE = "suspects.csv"  # in the folder of `LabelErrors.copy_to`


@dataclass(frozen=True, eq=False, repr=False)
class LabelErrors:
    """Images that probably have a wrong label, the most probable first.

    Attributes
    ----------
    source
        All images, with their features.
    found
        Probability that the label is wrong, for each image.
    rows
        int64 (m,), the listed images.

    Examples
    --------
    >>> suspects("data/train", fraction=0.25, backbone="pixels").table().header
    ('path', 'given', 'seen', 'probability')
    """

    source: Source
    found: Suspects
    rows: Rows

    def __repr__(self) -> str:
        """Return the number of likely label errors, and the estimated label noise."""
        return f"LabelErrors({self.said})"

    def _repr_html_(self) -> str:
        """Return the first rows of the table, for a notebook."""
        return html_table(repr(self), self.table())

    @property
    def noise(self) -> NoiseEstimate:
        """The estimated label noise."""
        return noise_estimate(self.found)

    @property
    def said(self) -> str:
        """The number of likely label errors, and the estimated label noise, in a sentence."""
        fit = self.found.hardly_known and self.source.fit_may_help
        return say_noise(self.noise, fit=fit)

    @property
    def paths(self) -> list[str]:
        """The paths of the listed images, relative to the dataset; row numbers of an array."""
        return list(self.source.names_of(self.rows))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The given class of each listed image, and the class that it looks like."""
        name, given = self.source.class_name, self.source.labels[self.rows].tolist()
        seen = self.found.looks_like[self.rows].tolist()
        return [(name(one), name(other)) for one, other in zip(given, seen, strict=True)]

    def table(self, *, label: bool = False) -> Table:
        """Return path, given class, seen class, and probability of each image.

        Parameters
        ----------
        label
            Add a column `label` to correct; it has the given class, so that a table that nobody
            has edited changes nothing. Earlier corrections of other images follow, so that one
            table has all of them.
        """
        probability = np.round(self.found.probability[self.rows], 6).tolist()
        header: tuple[str, ...] = ("path", "given", "seen", "probability")
        rows = [
            (path, given, seen, share, *((given,) if label else ()))
            for path, (given, seen), share in zip(self.paths, self.pairs, probability, strict=True)
        ]
        if not label:
            return Table(header, rows)
        return Table((*header, "label"), [*rows, *self._corrected_before()])

    def _corrected_before(self) -> Iterator[tuple[str, str, str, None, str]]:
        """Yield a row of the table for each corrected image that is not listed."""
        dataset = self.source.dataset
        if dataset is None or dataset.corrections is None:
            return
        before, classes = dataset.corrections, dataset.classes
        rows = np.union1d(before.changed, np.flatnonzero(before.left_out))
        for row in np.setdiff1d(rows, self.rows).tolist():
            label = "" if before.left_out[row] else classes[before.labels[row]]
            yield dataset.paths[row], classes[before.given[row]], "", None, label

    def copy_to(
        self,
        folder: str | os.PathLike[str],
        *,
        link: str = "none",
        force: bool = False,
        listener: Listener = SILENT,
    ) -> None:
        """Copy the listed images to a new folder, to look at in a file manager.

        Images of class A that look like class B are in `A-B`; `suspects.csv` lists all of them,
        the most probable errors first.

        Parameters
        ----------
        folder
            Must not exist, or be empty, unless `force` is true.
        link
            "none" copies, "hard" and "symbolic" link to the files of the dataset.
        force
            Replace an earlier folder of this kind in which no file was added or changed since.
        listener
            Hears progress.

        Raises
        ------
        ModerateError
            If the images are not those of a dataset, or the folder cannot be written.

        Examples
        --------
        >>> suspects("data/train", fraction=0.25, backbone="pixels").copy_to("look")
        """
        if self.source.dataset is None:
            raise OptionError("{} needs {}, a dataset folder", "copy_to", "data")
        export_view(
            self.source.dataset, self.rows.tolist(), self.pairs, self.table(label=True), folder,
            name=TABLE, link=link, force=force, listener=listener,
        )  # fmt: skip


def suspects(
    data: Data | FeatureStore | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    fraction: Number | Literal["auto"] = "auto",
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> LabelErrors:
    """Find the images that probably have a wrong label.

    Parameters
    ----------
    data
        A `Dataset`, a path, URL or ImageFolder as for `scan`, or a feature set.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files. With `data`, labels are a table of corrected labels (`corrected.csv`).
    fraction
        "auto" lists the images with a probability above 0.5; or a fraction of all, in (0, 1).
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`.

    Raises
    ------
    ModerateError
        If an option is out of range, the data cannot be read or embedded, or there is one class.

    Examples
    --------
    >>> found = suspects("data/train", fraction=0.25, backbone="pixels")
    >>> len(found.paths)
    2
    """
    listener = with_bars(listener, progress)
    share: Fraction | Literal["auto"] = "auto" if fraction == "auto" else exact(fraction)
    if share != "auto" and not 0 < share < 1:
        raise ArgumentError(f"fraction: {fraction} is not in (0, 1)")
    inputs = inputs_of(data, of=suspects, features=features, labels=labels, **embedding)
    inputs.check_single("suspects")
    if inputs.clusters is not None:
        raise OptionError("suspects needs classes, not {}", ("labels", inputs.labels))
    source = open_source(
        inputs, check=lambda labels, _: check_suspectable(labels), listener=listener
    )
    source.check_finite()
    with listener.progress("suspects", unit="step", delay=PATIENCE) as move:
        found = source.sets[0].suspects(on_progress=move)
    return LabelErrors(source, found, found.most_probable(share))
