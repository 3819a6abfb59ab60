"""Features as points on a plane."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Features, Points, Rows, read_rows
from moderate_cli.errors import ArgumentError, check_choice

METHODS = {"pca": "PCA", "umap": "UMAP"}
FEWEST = 4  # images that UMAP cannot place


class Projection(NamedTuple):
    """A map of images.

    Attributes
    ----------
    rows
        int64 (m,), the images on it, ascending.
    points
        float64 (m, 2), each coordinate from 0 to 1.
    method
        "PCA" or "UMAP".
    """

    rows: Rows
    points: Points
    method: str


def check_method(method: str) -> None:
    """Refuse a way to place images that is unknown or not installed.

    Raises
    ------
    ArgumentError
        Naming it.
    """
    check_choice("map", method, METHODS)
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise ArgumentError("map: umap needs a missing package; pip install 'moderate-cli[umap]'")


def project(
    features: Features, rows: Rows, most: int, *, method: str = "pca", seed: int = 0
) -> Projection:
    """Place images by their features.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows
        int64 (m,), ascending, the images to place.
    most
        Maximum number of images; of more, a random sample is placed.
    method
        "pca", principal components, or "umap" (McInnes et al., 2018), which shows groups better
        and takes longer; of fewer than five images, principal components in any case.
    seed
        For the sample, and for UMAP.
    """
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    inputs = read_rows(features, rows)
    if method == "umap" and len(rows) > FEWEST:
        import umap

        points = umap.UMAP(random_state=seed, n_jobs=1).fit_transform(inputs)
        return Projection(rows, _scaled(np.asarray(points, dtype=np.float64)), METHODS["umap"])
    return Projection(rows, _scaled(principal_components(inputs)), METHODS["pca"])


def principal_components(inputs: Points) -> Points:
    """Return coordinates (m, 2) along the two directions in which points (m, d) vary most.

    >>> principal_components(np.array([[0.0, 3.0], [0.0, 5.0], [0.0, 7.5]])).round(1).tolist()
    [[-2.2, 0.0], [-0.2, 0.0], [2.3, 0.0]]
    """
    centered = inputs - inputs.mean(axis=0)
    # Of the two matrices of products, which have the same spectrum, the smaller one.
    if len(inputs) < inputs.shape[1]:
        spectrum, vectors = np.linalg.eigh(centered @ centered.T)
        found = vectors[:, ::-1][:, :2] * np.sqrt(spectrum[::-1][:2].clip(0))
    else:
        _, vectors = np.linalg.eigh(centered.T @ centered)
        found = centered @ vectors[:, ::-1][:, :2]
    # The sign of a direction is arbitrary; the largest coordinate is made positive.
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=0)[None], axis=0)
    points = np.zeros((len(inputs), 2))
    points[:, : found.shape[1]] = np.where(largest < 0, -found, found)
    return points


def _scaled(points: Points) -> Points:
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    # If all points are on a line, rounding errors across it are not scaled up.
    scaled: Points = (points - low) / np.where(span > 1e-6 * span.max(), span, 1)
    return scaled
