"""Notices in words, for a terminal, a notebook and a page: one sentence per kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from moderate_cli.label_errors.doubts import MANY, NoiseEstimate
from moderate_cli.notices import Notice
from moderate_cli.text import clipped, counted, printable, some

MOST_NAMED = 10  # classes in a line, with how many images each
BLANK = "are they blank, or copies of one image? Open a few"


class Said(NamedTuple):
    """A notice in words.

    Attributes
    ----------
    level
        "warning", or "" for a plain fact.
    text
        A sentence, without a capital or a full stop.
    """

    level: Literal["", "warning"]
    text: str


def say(notice: Notice) -> Said:
    """Say a notice in a sentence.

    >>> say(Notice("unreadable", 2, 9)).text
    'skipped 2 unreadable of 9 images'
    """
    level, words = _WORDS[notice.kind]
    return Said(level, words(notice))


def say_noise(found: NoiseEstimate, *, fit: bool = False) -> str:
    """Say how many likely label errors there are, and estimate the label noise; `fit` as below.

    >>> say_noise(NoiseEstimate(5, 100, 0.05))
    '5 likely label errors; estimated label noise about 5 %, which hard images alone can cause'
    >>> say_noise(NoiseEstimate(15, 100, 0.15))
    '15 likely label errors; estimated label noise at least about 15 %'
    >>> say_noise(NoiseEstimate(0, 100, 0.001))
    'no likely label errors; the labels look right'
    """
    number = f"{found.suspects or 'no'} likely label {_errors(found.suspects)}"
    if not math.isnan(found.accuracy):
        return f"{number}; {say_hardly_known(found.accuracy, fit=fit)}"
    if not found.agrees:
        return f"{number} with a probability above 0.5; {say_doubts(found)}"
    if not found.suspects:
        return f"{number}; the labels look right"
    estimate = f"{number}; estimated label noise"
    if found.rate <= MANY:
        return f"{estimate} {percent(found.rate)}, which hard images alone can cause"
    return f"{estimate} at least {percent(found.rate)}"  # errors that follow the looks are missed


def say_doubts(found: NoiseEstimate) -> str:
    """Say how the estimate differs from the number of suspects.

    >>> say_doubts(NoiseEstimate(0, 20, 0.1))
    'all probabilities add up to about 10 % of the labels, but no single image is likely wrong'
    """
    why = "so some of these are right"
    if found.suspects < found.rate * found.images:
        why = "so others are wrong, too"
        if not found.suspects:
            why = "but no single image is likely wrong"
    return f"all probabilities add up to {percent(found.rate)} of the labels, {why}"


def say_hardly_known(accuracy: float, *, fit: bool) -> str:
    """Say that features hardly know the classes; `fit`, whether `moderate fit` may help.

    >>> say_hardly_known(0.128, fit=False).partition(",")[0]
    'a linear probe on these features is right for only 13 % of the images'
    """
    return (
        f"a linear probe on these features is right for only {100 * accuracy:.0f} % of the images,"
        f" so wrong labels cannot be told from hard images; {try_other_features(fit=fit)}"
    )


def try_other_features(*, fit: bool) -> str:
    """Name other features to try where those at hand hardly know the classes."""
    own = "`moderate fit`, of " if fit else ""
    return f"try other features, such as those of {own}another --backbone or of your own --weights"


def percent(share: float) -> str:
    """Return a share with the precision of an estimate.

    >>> percent(0.2803), percent(0.0004)
    ('about 28 %', 'less than 1 %')
    """
    return "less than 1 %" if share < 0.005 else f"about {100 * share:.0f} %"


def _errors(number: int) -> str:
    return "error" if number == 1 else "errors"


def _of(count: int, images: int) -> str:
    return f"all {images} images" if count == images else f"{count} of {images} images"


def _with_counts(classes: Sequence[tuple[str, int]]) -> str:
    named = [f"{clipped(name)} {count}" for name, count in classes[:MOST_NAMED]]
    more = len(classes) - len(named)
    return ", ".join(named) + (f" and {more} more classes" if more else "")


def _corrections(notice: Notice) -> str:
    if not (notice.count or notice.of):
        return f"{notice.names[0]}: all labels are those of DATA"
    left_out = f", left out {counted(notice.of, 'image')}" if notice.of else ""
    return f"{notice.names[0]}: corrected {counted(notice.count, 'label')}{left_out}"


def _training(notice: Notice) -> str:
    return f"training {notice.names[0]} on {counted(notice.count, 'image')}: {_lasting(notice)}"


def _training_on(notice: Notice) -> str:
    network, *options = notice.names
    how = f", with {' '.join(options)} as before" if options else ""
    images = counted(notice.count, "image")
    return f"training the older {network} further on {images}{how}: {_lasting(notice)}"


def _resuming(notice: Notice) -> str:
    network, epochs = notice.names[0], f"{notice.count} of {counted(notice.of, 'epoch')}"
    return f"resuming the training of {network} after {epochs}: {_lasting(notice)}"


def _lasting(notice: Notice) -> str:
    """Return a time with the precision of an estimate."""
    minutes = notice.than / 60
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes:.0f} min" if minutes < 100 else f"about {minutes / 60:.0f} h"


def _interrupted(notice: Notice) -> str:
    epochs = counted(notice.of, "epoch")
    if not notice.count:
        return f"stopped before the first of {epochs} was kept; the same command begins again"
    return f"stopped; {notice.count} of {epochs} are kept, and the same command goes on from there"


def _fitted(notice: Notice) -> str:
    head = f"a linear probe on the default features for {100 * notice.than:.1f} %"
    return f"{_fitted_alone(notice)}, {head}"


def _fitted_alone(notice: Notice) -> str:
    network, *_ = notice.names
    return f"{network} is right for {100 * notice.share:.1f} % of images that it did not see"


def _fitted_to_other_labels(notice: Notice) -> str:
    which, next_ = "corrected labels", "name them with --labels"
    if notice.names:
        which, next_ = "other labels", _again(notice)
    return f"the network of `moderate fit` was trained on {which}; {next_}"


def _again(notice: Notice) -> str:
    return " ".join(["run it again", *(f"with --labels {printable(one)}" for one in notice.names)])


def _coinciding_classes(notice: Notice) -> str:
    if len(notice.classes) == 1:
        ((name, count),) = notice.classes
        return f"{_of(count, notice.of)} of class {clipped(name)} have the same features; {BLANK}"
    names = some([name for name, _ in notice.classes])
    what = f"all or nearly all images of {len(notice.classes)} classes have the same features"
    return f"{what}: {names}; {BLANK}"


def _suspects(notice: Notice) -> str:
    if not notice.count:
        return f"dropped no likely label errors; selecting from all {notice.of} images"
    dropped = f"dropped {notice.count} likely label {_errors(notice.count)}"
    return f"{dropped}; selecting from the remaining {counted(notice.of, 'image')}"


def _kept_from(notice: Notice) -> str:
    gone = notice.of - notice.count
    if not gone:
        return (
            f"keeping {'all ' * (notice.of > 1)}{counted(notice.of, 'image')} of {notice.names[0]}"
        )
    are = "is" if gone == 1 else "are"
    return (
        f"keeping {notice.count} of {counted(notice.of, 'image')} of {notice.names[0]}; {gone}"
        f" {are} gone"
    )


def _spared(one: str, more: str) -> Callable[[Notice], str]:
    def words(notice: Notice) -> str:
        number = counted(notice.count, one, more)
        why = f"so that each class keeps --min-per-class {notice.least}"
        return f"did not drop {number}, {why}: {_with_counts(notice.classes)}"

    return words


def _earlier(one: str, more: str) -> Callable[[Notice], str]:
    def words(notice: Notice) -> str:
        has = "it" if notice.count == 1 else "them"
        number = counted(notice.count, one, more)
        return f"did not drop {number}, because {notice.names[0]} has {has}"

    return words


def _lost_to(more: str) -> Callable[[Notice], str]:
    def words(notice: Notice) -> str:
        number = counted(len(notice.classes), "class", "classes")
        return (
            f"{number} had nothing but {more}, so no image is left: {_with_counts(notice.classes)};"
            " --min-per-class 1 keeps one of each"
        )

    return words


def _duplicates(notice: Notice) -> str:
    if not notice.count:
        return "no near duplicates"
    number = counted(notice.count, "near duplicate", "near duplicates")
    return f"{number} of {counted(notice.of, 'image')}"


def _leaks(notice: Notice) -> str:
    (name,) = notice.names
    if not notice.count:
        return f"no near duplicates of images in {name}"
    number = counted(notice.count, "near duplicate", "near duplicates")
    return f"{number} of {counted(notice.of, 'image')} in {name}"


def _leaked(notice: Notice) -> str:
    (name,) = notice.names
    have = "has a near duplicate" if notice.count == 1 else "have near duplicates"
    return (
        f"{notice.count} of {counted(notice.of, 'test image')} {have} in DATA, so accuracies are"
        f" too high; `moderate duplicates {name} --against DATA` lists them"
    )


def _torn(notice: Notice) -> str:
    pairs = counted(notice.count, "pair", "pairs")
    have = "has" if notice.count == 1 else "have"
    which = "one label" if notice.count == 1 else "one label of each"
    return (
        f"{pairs} of near duplicates {have} different labels, so {which} is wrong:"
        f" {some(notice.names)}"
    )


def _expected(notice: Notice) -> str:
    compare = f"{lasting(notice.than)} to compare selections by {notice.of} classifiers"
    if not notice.count:
        return f"about {compare}"
    embed = f"{lasting(notice.share)} to embed {counted(notice.count, 'image')}"
    return f"about {lasting(notice.share + notice.than)}: {embed}, {compare}"


def lasting(seconds: float) -> str:
    """Return a time with the precision of an estimate.

    >>> lasting(0.4), lasting(37.2), lasting(250), lasting(40000)
    ('1 s', '35 s', '4 min', '11 h')
    """
    if seconds < 30:
        return f"{max(1, round(seconds))} s"
    if seconds < 100:
        return f"{5 * round(seconds / 5)} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"


def _doubted(notice: Notice) -> str:
    doubted = (
        "is probably wrong and counts" if notice.count == 1 else "are probably wrong and count"
    )
    return (
        f"each seed judges on {counted(notice.of, 'held-out image')}; about {notice.count} of their"
        f" labels {doubted} less"
    )


def _rescued(notice: Notice) -> str:
    number = counted(notice.count, "class", "classes")
    added, were = ("one", "was") if notice.least == 1 else (f"up to {notice.least}", "were")
    each = " of each" if notice.count > 1 else ""
    return (
        f"the selection would contain no image of {number} ({some(notice.names)}), so {added}{each}"
        f" {were} added; {_advice(notice)}"
    )


def _lost(notice: Notice) -> str:
    number = counted(notice.count, "class", "classes")
    return f"the selection contains no image of {number} ({some(notice.names)}); {_advice(notice)}"


def _advice(notice: Notice) -> str:
    return "--scope class gives each class its share" if notice.share >= 1 else "keep more images"


_Words = Callable[[Notice], str]
_WORDS: dict[str, tuple[Literal["", "warning"], _Words]] = {
    "waiting": ("", lambda one: f"waiting for {one.names[0]}, which fills this store"),
    "updating": (
        "",
        lambda one: (
            f"embedding {counted(one.count, 'new or changed image')}; {one.of} are as before"
        ),
    ),
    "unreadable": ("warning", lambda one: f"skipped {one.count} unreadable of {one.of} images"),
    "corrections": ("", _corrections),
    "images as before": (
        "",
        lambda one: f"images of {one.names[0]} are in {one.names[1]}, as --images said before",
    ),
    "unknown corrections": (
        "warning",
        lambda one: (
            f"{one.names[0]}: {counted(one.count, 'path')} not in DATA, e.g."
            f" {printable(one.names[1])}"
        ),
    ),
    "unconverted": ("", lambda one: f"OpenVINO cannot run {one.names[0]}, so torch does"),
    "turned": (
        "",
        lambda one: (
            f"{_of(one.count, one.of)} have an EXIF orientation, which is ignored, as ImageFolder"
            " does; --orientation exif turns them"
        ),
    ),
    "no features": (
        "warning",
        lambda one: (
            f"{one.names[0]}: skipped {one.count} of {one.of} rows, which are NaN like those"
            " of unreadable images"
        ),
    ),
    "fitting": (
        "",
        lambda one: "training a network on these images, because there is none yet",
    ),
    "training": ("", _training),
    "training on": ("", _training_on),
    "resuming": ("", _resuming),
    "interrupted": ("", _interrupted),
    "interrupted embedding": (
        "",
        lambda one: (
            f"interrupted; {one.count} of {counted(one.of, 'image')} are kept; run again to"
            " continue"
        ),
    ),
    "interrupted evaluation": (
        "",
        lambda one: (
            f"interrupted; {one.count} of {counted(one.of, 'result')} are kept; run again to"
            " continue"
        ),
    ),
    "fitted": ("", _fitted),
    "fitted alone": (
        "",
        lambda one: f"{_fitted_alone(one)}; `moderate fit` compares it with the default features",
    ),
    "fitted is used": ("", lambda one: f"using the features of `moderate fit`: {_fitted(one)}"),
    "fitted is old": (
        "warning",
        lambda one: f"the network of `moderate fit` is older than the images; {_again(one)}",
    ),
    "fitted to other labels": ("warning", _fitted_to_other_labels),
    "fitted otherwise": (
        "warning",
        lambda one: (
            f"the network of `moderate fit` was trained with --orientation {one.names[0]}; use that"
            " here, or run it again with the other"
        ),
    ),
    "fitted to some": (
        "",
        lambda one: (
            f"training on {one.count} of {one.of} images; the others are unreadable, or"
            " do not fit in memory"
        ),
    ),
    "coinciding": (
        "warning",
        lambda one: f"{_of(one.count, one.of)} have the same features; {BLANK}",
    ),
    "coinciding classes": ("warning", _coinciding_classes),
    "noisy labels": (
        "warning",
        lambda one: (
            f"{one.count} of the {one.of} kept images are likely label errors:"
            f" {''.join(f'use --strategy {name}, ' for name in one.names)}look at `moderate"
            " suspects DATA`, or add --drop-suspects auto"
        ),
    ),
    "hardly known": (
        "warning",
        lambda one: say_hardly_known(one.share, fit=bool(one.names)),
    ),
    "suspects": ("", _suspects),
    "doubtful suspects": (
        "warning",
        lambda one: say_doubts(NoiseEstimate(one.count, one.of, one.share)),
    ),
    "kept from": ("", _kept_from),
    "earlier suspects": ("", _earlier("likely label error", "likely label errors")),
    "spared suspects": ("", _spared("likely label error", "likely label errors")),
    "lost to suspects": ("warning", _lost_to("likely label errors")),
    "duplicates": ("", _duplicates),
    "torn duplicates": ("warning", _torn),
    "leaks": ("", _leaks),
    "leaked test images": ("warning", _leaked),
    "earlier duplicates": ("", _earlier("near duplicate", "near duplicates")),
    "spared duplicates": ("", _spared("near duplicate", "near duplicates")),
    "lost to duplicates": ("warning", _lost_to("near duplicates")),
    "expected": ("", _expected),
    "doubted": ("", _doubted),
    "seen": (
        "warning",
        lambda one: (
            "the network of `moderate fit` was trained on the held-out images, too, so all"
            " accuracies are too high; name a test set with --test"
        ),
    ),
    "few seeds": (
        "",
        lambda one: (
            f"{counted(one.count, 'seed')} cannot give intervals; use --seeds {one.least} or more"
        ),
    ),
    "floors": (
        "warning",
        lambda one: (
            f"--min-per-class {one.least} needs {one.of} images, and only {one.count} are"
            " kept, so some classes have fewer"
        ),
    ),
    "rescued classes": ("warning", _rescued),
    "lost classes": ("warning", _lost),
}
