"""How long a comparison takes, said before it starts."""

from __future__ import annotations

from collections.abc import Sequence

from moderate_cli.evaluation.cells import Cell
from moderate_cli.evaluation.pools import FOLDS
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice
from moderate_cli.suggesting import Expected, compute_seconds

READ = 400  # images per second, decoded for a small network
WORTH_SAYING = 5.0  # seconds


def comparing_seconds(
    images: int,
    judged: int,
    dim: int,
    cells: Sequence[Cell],
    recipe: Recipe | None,
    listener: Listener,
) -> float:
    """Estimate the seconds to look at the data, and to train a classifier for each cell.

    Parameters
    ----------
    images, judged, dim
        Number of images of the data and of the test set, 0 without one, and of features.
    cells
        The selections.
    recipe
        How to train a network; None for a linear probe.
    listener
        Hears that a step of the network is measured.
    """
    if recipe is None:
        return compute_seconds(images, dim, cells)
    with listener.progress("measuring"):
        from moderate_cli.evaluation.training import seconds_per_training

        each = seconds_per_training(recipe, judged or images // FOLDS)
        looking = compute_seconds(images, dim, cells[:1])
    return looking + (images + judged) / READ + len(cells) * each


def tell(expected: Expected, listener: Listener) -> None:
    """Tell what the work takes, unless it is a moment."""
    if expected.seconds >= WORTH_SAYING:
        listener.notice(
            Notice(
                "expected",
                expected.pending,
                expected.trainings,
                share=expected.embedding,
                than=expected.comparing,
            )
        )
