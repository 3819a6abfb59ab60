"""How many labels are wrong, in words; the list of suspects and the estimate agree or say why not.

Both come from the same probabilities: suspects are the images where it is above one half, and the
estimate is the mean of all. Many doubtful images make a share of wrong labels without a suspect.
"""

from __future__ import annotations

import numpy as np

from moderate_cli.label_errors.suspects import Suspects

TOLERANCE = 0.25  # of the estimate, by which the list may be longer or shorter


def summary(found: Suspects) -> str:
    """Say how many suspects there are, and how many labels are wrong.

    >>> looks_like = np.zeros(20, dtype=np.int64)
    >>> summary(Suspects(np.array([0.9] + 19 * [0.001]), looks_like))
    '1 suspect; about 5 % of all labels are wrong'
    >>> summary(Suspects(np.full(20, 0.002), looks_like))
    '0 suspects; the labels look right'
    """
    listed = len(found.most_probable())
    number = f"{listed} {'suspect' if listed == 1 else 'suspects'}"
    if why := discrepancy(found):
        return f"{number} with a probability above 0.5; {why}"
    if listed == 0:
        return f"{number}; the labels look right"
    return f"{number}; {percent(found.noise_rate)} of all labels are wrong"


def discrepancy(found: Suspects) -> str:
    """Say why the list and the estimate differ; nothing where they do not.

    >>> discrepancy(Suspects(np.full(20, 0.1), np.zeros(20, dtype=np.int64)))
    'the probabilities of all images add up to about 10 % of the labels, but no image is sure'
    """
    listed = len(found.most_probable())
    images = int(np.count_nonzero(~np.isnan(found.probability)))
    wrong = found.noise_rate * images
    if abs(listed - wrong) <= max(0.5, TOLERANCE * wrong):
        return ""
    why = "so some of these are right"
    if listed < wrong:
        why = "so others are wrong, too" if listed else "but no image is sure"
    return (
        f"the probabilities of all images add up to {percent(found.noise_rate)} of the labels,"
        f" {why}"
    )


def percent(share: float) -> str:
    """A share with the precision that an estimate has.

    >>> percent(0.2803), percent(0.0004)
    ('about 28 %', 'less than 1 %')
    """
    return "less than 1 %" if share < 0.005 else f"about {100 * share:.0f} %"
