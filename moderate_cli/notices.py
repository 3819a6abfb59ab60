"""Facts that a user should know about the work, as data; `moderate_cli.words` has the words."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    "waiting",  # another process, `names[0]`, fills the same store
    "updating",  # `count` images are new or changed, and are embedded; `of` are as before
    "unreadable",  # `count` of `of` images cannot be read, and were skipped
    "corrections",  # the file `names[0]` corrects `count` labels, and leaves out `of` images
    "unknown corrections",  # `count` paths of it, such as `names[1]`, are not in the dataset
    "unconverted",  # OpenVINO cannot run the backbone `names[0]`, and torch does
    "turned",  # `count` of `of` images have an EXIF orientation, which is ignored
    "no features",  # `count` of `of` rows of the file `names[0]` are NaN, and were skipped
    "fitting",  # the dataset has no network, and one is trained
    "training",  # the network `names[0]` is trained on `count` images, for `than` seconds
    "training on",  # the same, from the weights of an older one, with its options `names[1:]`
    "resuming",  # an interrupted training of the network `names[0]` has `count` of `of` epochs
    "interrupted evaluation",  # the user stops it; `count` of `of` missing results are kept
    "interrupted embedding",  # the user stops it; `count` of `of` images are kept
    "interrupted",  # the user stops a training, of which `count` of `of` epochs are kept
    "images as before",  # those of a list, `names[0]`, are in the folder `names[1]`
    "fitted",  # the network `names[0]` is right for `share` of the images, the head for `than`
    "fitted alone",  # the network `names[0]` is right for `share` of the images; not compared
    "fitted is used",  # the same, and its features are used
    "fitted is old",  # the network was trained on other images; `names` has the corrected labels
    "fitted to other labels",  # it was trained on other labels; likewise
    "fitted otherwise",  # it was trained with the orientation `names[0]`, unlike its features
    "fitted to some",  # a network is trained on `count` of `of` images
    "coinciding",  # `count` of `of` images have the same features
    "coinciding classes",  # the same, within each of `classes`, which have `of` images
    "noisy labels",  # `count` of the `of` kept ones are likely label errors; `names` keeps fewer
    "hardly known",  # a linear probe is right for a `share` of the images; `names` may help
    "suspects",  # `count` likely label errors were dropped first, and `of` images are left
    "doubtful suspects",  # the estimated label noise, `share`, does not agree with `count` of `of`
    "kept from",  # `count` of the `of` images of the earlier selection `names[0]` are kept
    "earlier suspects",  # `count` were not dropped: the earlier selection `names[0]` has them
    "spared suspects",  # `count` were not dropped, so that `classes` keep `least`
    "lost to suspects",  # `classes` had nothing else
    "duplicates",  # `count` near duplicates of `of` images
    "torn duplicates",  # `count` pairs, `names`, have different labels
    "leaks",  # `count` images are near duplicates of `of` images of the dataset `names[0]`
    "leaked test images",  # `count` of `of` images of the test set `names[0]` have one in the data
    "earlier duplicates",  # the same as of suspects
    "spared duplicates",  # the same as of suspects
    "lost to duplicates",  # the same as of suspects
    "expected",  # `share` seconds to embed `count` images, `than` to train `of` classifiers
    "doubted",  # of the labels of `of` held-out images, `count` are probably wrong
    "seen",  # held-out images, with their labels, trained the network whose features judge
    "few seeds",  # `count` seeds are too few for intervals; `least` are needed
    "floors",  # keeping `least` per class needs `of` images, and `count` are kept
    "rescued classes",  # only `least` keeps `count` classes, `names`; `share` images per class
    "lost classes",  # no image of `count` classes, `names`, is kept; `share` images per class
]


class Notice(NamedTuple):
    """One fact that a user should know.

    Attributes
    ----------
    kind
        Kind of fact; decides the meaning of the other fields.
    count, of
        Number of images concerned, and of all.
    classes
        Class name -> number of images, the largest number first.
    names
        Names of other things concerned.
    share
        A fraction, or a mean.
    least
        Minimum number kept per class.
    than
        A fraction to compare `share` with.

    Examples
    --------
    >>> from moderate_cli import select
    >>> selection = select("data/train", count=1, min_per_class=0, backbone="pixels")
    >>> [notice.kind for notice in selection.notices]
    ['lost classes']
    """

    kind: Kind
    count: int = 0  # type: ignore[assignment]  # tuple.count is of no use here
    of: int = 0
    classes: tuple[tuple[str, int], ...] = ()
    names: tuple[str, ...] = ()
    share: float = 0.0
    least: int = 0
    than: float = 0.0


class Timing(NamedTuple):
    """Time that an embedding took, by step.

    Attributes
    ----------
    images
        Number of images embedded.
    elapsed
        Seconds from the first image to the last; loading the backbone is not included.
    decode, transform
        Seconds of reading and decoding, and of resizing and cropping, summed over `workers`.
    forward, write
        Seconds in the backbone, and in writing to the store, which goes on beside it.
    workers
        Threads or processes that decode while the backbone runs.
    """

    images: int
    elapsed: float
    decode: float
    transform: float
    forward: float
    write: float
    workers: int
