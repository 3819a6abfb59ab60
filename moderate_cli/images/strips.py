"""Strips, pictures that are much longer than wide: only the middle is used."""

from __future__ import annotations

Box = tuple[int, int, int, int]

# A strip is cut to this many times its short side before it is resized: 1 x 60,000 pixels must not
# become 224 x 13 million.
MAX_ASPECT = 8


def middle(size: tuple[int, int]) -> Box | None:
    """Return the middle of a strip, a box; None for any other picture.

    >>> middle((100, 1)), middle((3, 4))
    ((46, 0, 54, 1), None)
    """
    longest = MAX_ASPECT * min(size)
    if max(size) <= longest:
        return None
    # Rounded as torchvision's center crop does it.
    left, upper = (round((side - min(side, longest)) / 2) for side in size)
    return (left, upper, left + min(size[0], longest), upper + min(size[1], longest))
