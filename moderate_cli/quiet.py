"""Decoding images without the warnings of what decodes them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Leave out the warnings of PIL and torchvision; enter this before threads start.

    PIL warns of odd metadata, palettes and sizes in images that it reads all the same; torchvision
    that its JPEG decoder will go.
    """
    with warnings.catch_warnings():
        # Once, not for each image: setting filters is not safe in threads.
        warnings.filterwarnings("ignore", module="PIL")
        warnings.filterwarnings("ignore", "The image decoding", DeprecationWarning)
        yield
