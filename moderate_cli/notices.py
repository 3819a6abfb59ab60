"""What a user should know of a piece of work, as data; `moderate_cli.words` says it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    "waiting",  # another process, `names[0]`, fills the same store
    "empty classes",  # class folders without images: `classes`
    "unreadable",  # `count` of `of` images cannot be read, and are left out
    "no features",  # `count` of `of` rows of the file `names[0]` are NaN, and are left out
    "coinciding",  # `count` of `of` images have the same features
    "coinciding classes",  # nearly all images of `classes` have the same features
    "strangers",  # `share` of the images are nearer to most other classes than to their own
    "suspects",  # `count` likely label errors were dropped first
    "doubtful suspects",  # the estimate of label noise, `share`, does not agree with their `count`
    "spared suspects",  # `count` suspects stay, so that `classes` keep --min-per-class `of`
    "lost to suspects",  # no image is left of `classes` without suspects
    "duplicates",  # `count` near duplicates of `of` images
    "torn duplicates",  # `count` pairs of near duplicates have different classes: `pairs`
    "spared duplicates",  # as of suspects
    "lost to duplicates",  # as of suspects
    "auto",  # --strategy auto chose `names[0]`, whose accuracy is `share`; others are `names[1:]`
    "floors",  # --min-per-class takes `of` images, and `count` are kept
    "rescued classes",  # the selection would contain no image of `classes`, and `count` were added
    "lost classes",  # it contains none of `classes`
]


class Notice(NamedTuple):
    """One thing that a user should know.

    Attributes
    ----------
    kind
        What it is; says what the other fields hold.
    count, of
        How many images it concerns, and of how many.
    classes
        Class name -> number of images, the largest number first.
    names
        What else it concerns.
    share
        A fraction of one.
    """

    kind: Kind
    count: int = 0  # type: ignore[assignment]  # tuple.count is of no use here
    of: int = 0
    classes: tuple[tuple[str, int], ...] = ()
    names: tuple[str, ...] = ()
    share: float = 0.0


class Timing(NamedTuple):
    """Where the time of an embedding went.

    Attributes
    ----------
    images
        Number of images embedded.
    elapsed
        Seconds from the first image to the last, the backbone being loaded.
    decode, transform
        Seconds of reading and decoding, and of resizing and cropping, summed over `workers`.
    forward, write
        Seconds in the backbone, and in writing to the store.
    workers
        Threads that decode, while the backbone runs.
    """

    images: int
    elapsed: float
    decode: float
    transform: float
    forward: float
    write: float
    workers: int
