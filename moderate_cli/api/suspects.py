"""`suspects`: images that probably have a wrong label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Unpack

from moderate_cli.api.keywords import inputs_of
from moderate_cli.arrays import Rows
from moderate_cli.choosing.preparing import PATIENCE
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.exporting.tables import Table
from moderate_cli.inputs import open_source
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.label_errors.doubts import NoiseEstimate, noise_estimate
from moderate_cli.label_errors.suspects import Suspects, check_suspectable
from moderate_cli.listening import SILENT, Listener
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import exact
from moderate_cli.selection.choice import Number
from moderate_cli.store import FeatureStore
from moderate_cli.words import say_noise


@dataclass(frozen=True, eq=False, repr=False)
class LabelErrors:
    """Images that probably have a wrong label, the most probable first.

    Attributes
    ----------
    data
        All images, with their features.
    found
        Probability that the label is wrong, for each image.
    rows
        int64 (m,), the listed images.

    Examples
    --------
    >>> suspects("data/train", fraction=0.25, backbone="pixels").table().header
    ('path', 'class', 'looks_like', 'probability')
    """

    data: LabeledFeatures
    found: Suspects
    rows: Rows

    def __repr__(self) -> str:
        """Return the number of likely label errors, and the estimated label noise."""
        return f"LabelErrors: {say_noise(self.noise)}"

    @property
    def noise(self) -> NoiseEstimate:
        """The estimated label noise."""
        return noise_estimate(self.found)

    @property
    def paths(self) -> list[str]:
        """The paths of the listed images, relative to the dataset; row numbers of an array."""
        paths = self.data.paths
        return [paths[row] if paths else str(row) for row in self.rows.tolist()]

    def table(self) -> Table:
        """Return path, class, the class that it looks like, and probability of each image."""
        data, found = self.data, self.found
        return Table(
            ("path", "class", "looks_like", "probability"),
            [
                (path, data.class_name(label), data.class_name(other), round(probability, 6))
                for path, label, other, probability in zip(
                    self.paths,
                    data.labels[self.rows].tolist(),
                    found.looks_like[self.rows].tolist(),
                    found.probability[self.rows].tolist(),
                    strict=True,
                )
            ],
        )


def suspects(
    data: Data | FeatureStore | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    fraction: Number | Literal["auto"] = "auto",
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> LabelErrors:
    """Find the images that probably have a wrong label.

    Parameters
    ----------
    data
        A `Dataset`, a path or URL as for `scan`, or a feature set.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files.
    fraction
        "auto" lists the images with a probability above 0.5; or a fraction of all, in (0, 1).
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
    share: Fraction | Literal["auto"] = "auto" if fraction == "auto" else exact(fraction)
    if share != "auto" and not 0 < share < 1:
        raise ArgumentError(f"fraction: {fraction} is not in (0, 1)")
    inputs = inputs_of(data, features=features, labels=labels, **embedding)
    inputs.check_single("suspects")
    if inputs.clusters is not None:
        raise OptionError("suspects needs classes, not {}", ("labels", inputs.labels))
    source = open_source(
        inputs, check=lambda labels, _: check_suspectable(labels), listener=listener
    )
    source.check_finite()
    with listener.progress("suspects", unit="step", delay=PATIENCE) as move:
        found = source.sets[0].suspects(on_progress=move)
    return LabelErrors(source.sets[0], found, found.most_probable(share))
