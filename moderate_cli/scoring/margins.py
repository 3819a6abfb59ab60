"""The margin criterion: by how much a head that did not see the image prefers another class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Rows, blocks
from moderate_cli.scoring.ridge import BLOCK_ROWS, Ridge
from moderate_cli.threads import in_threads

OUTPUTS = 1 << 21  # of a head for a block of images, in each thread
# Wrong labels need stronger penalties than right ones: tried on training images of CIFAR-100.
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def held_out_margins(features: Features, rows: Rows, members: Rows) -> Doubles:
    """Highest output of another class minus that of the own one, of a head without the image.

    The head is a ridge regression on one-hot labels, `Ridge`, which leaves out each image in turn
    with a single fit. The margin is about -1 for a sure image, 0 for one between two classes, and 1
    for one that surely belongs to another class.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0; two classes
        or more.

    Returns
    -------
    float64 (m,)
    """
    classes = int(members.max()) + 1
    head = Ridge(features, rows, members, classes, STRENGTHS)

    def of_block(part: slice) -> Doubles:
        found: Doubles
        (found,) = head.of_held_out(_excess, part)
        return found

    size = max(1, min(BLOCK_ROWS, OUTPUTS // classes))
    return np.concatenate(list(in_threads(of_block, blocks(len(rows), size))))


def excess(outputs: npt.NDArray[np.floating[Any]], members: Rows) -> Doubles:
    """Return the highest other output minus that of the own class: float64 (b,).

    >>> excess(np.array([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]]), np.array([0, 1]))
    array([-2.,  2.])
    """
    (found,) = _excess(np, outputs.astype(np.float64), np.arange(len(outputs)), members)
    return np.asarray(found)


def _excess(module: Any, outputs: Any, every: Any, members: Any) -> tuple[Any]:
    """Return the same for arrays of numpy or torch, which it changes."""
    own = outputs[every, members]
    outputs[every, members] = -np.inf
    return (module.amax(outputs, axis=1) - own,)
