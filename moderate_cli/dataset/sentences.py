"""Notices of a scan in words: one sentence for each kind, for a terminal and for a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from moderate_cli.dataset.dataset import FLAT, Dataset
from moderate_cli.dataset.image_formats import HEIF_EXTENSIONS, INSTALL_HEIF
from moderate_cli.dataset.layouts import is_split_name
from moderate_cli.dataset.lists import is_list
from moderate_cli.dataset.notices import SNIFFED, Kind, Notice
from moderate_cli.text import clipped, printable

SHOWN = 5
Notices = Sequence[Notice]


class Sentence(NamedTuple):
    """A fact, and the next step.

    Attributes
    ----------
    fact
        Without a capital.
    advice
        Without a capital; "" if there is nothing to do.
    """

    fact: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.fact}; {self.advice}" if self.advice else self.fact


def sentences(dataset: Dataset, data: str = "DATA", *, clustered: bool = False) -> list[Sentence]:
    """Put the notices of a dataset in sentences.

    Parameters
    ----------
    dataset
        From `moderate_cli.scan`.
    data
        Name of the dataset, as the user wrote it.
    clustered
        Whether clusters replace the classes; then the layout of the classes does not matter.
    """
    notices = dataset.notices
    found = [ignored(notices), _more(notices), _shifts(notices), _loops(notices)]
    found += [_twins(notices), _alike(notices), *_rows(notices)]
    if not clustered:
        found.append(_layout(dataset, data.rstrip("/")))
    return [sentence for sentence in found if sentence is not None]


def several_labels(dataset: Dataset) -> Sentence | None:
    """Say that images have several labels each, if files beside them say so."""
    return next((_objects(notice, "") for notice in _of(dataset.notices, "objects")), None)


def ignored(notices: Notices) -> Sentence | None:
    """Count the files and folders that are ignored, by reason."""
    suffixes = [_files(notice) for notice in _of(notices, "suffix")]
    found = suffixes[:SHOWN]
    if len(suffixes) > SHOWN:
        rest = sum(notice.count for notice in _of(notices, "suffix")[SHOWN:])
        found.append(f"{rest} with other suffixes")
    for notice in _of(notices, "no suffix"):
        least = "at least " if notice.count >= SNIFFED else ""
        found.append(f"{least}{_count(notice.count, 'image')} without a suffix")
    found += [
        f"{_count(notice.count, 'image')} beside the class folders"
        for notice in _of(notices, "beside")
    ]
    hidden = sum(notice.count for notice in _of(notices, "hidden"))
    found += [_count(hidden, "hidden file")] if hidden else []
    found += [_count(notice.count, notice.names[0]) for notice in _of(notices, "member")]
    found += _folders(notices)
    if not found:
        return None
    advice = []
    counted = {one.names[0] for one in _of(notices, "suffix")}
    heif = [name for name in HEIF_EXTENSIONS if name in counted]
    if heif:
        advice.append(f"{INSTALL_HEIF} to read {' and '.join(heif)}")
    if _of(notices, "no suffix"):
        advice.append("rename images without a suffix to .jpg, whatever their format")
    return Sentence(f"ignored {', '.join(found)}", "; ".join(advice))


def _folders(notices: Notices) -> list[str]:
    counts: dict[str, int] = {}
    for notice in _of(notices, "folder"):
        counts[notice.names[0]] = counts.get(notice.names[0], 0) + notice.count
    if len(counts) > SHOWN:
        return [f"{sum(counts.values())} folders such as {printable(min(counts))}"]
    return [
        f"{count} {'folder' if count == 1 else 'folders'} {printable(name)}"
        for name, count in counts.items()
    ]


def _more(notices: Notices) -> Sentence | None:
    found = _of(notices, "more")
    if not found:
        return None
    single = sum(one.count for one in found) == 1
    verb, them = ("is", "it") if single else ("are", "them")
    heif = [one.names[0] for one in found if one.names[0] in HEIF_EXTENSIONS]
    advice = (
        []
        if len(heif) == len(found)
        else ["rename to .jpg, under which ImageFolder reads any format"]
    )
    advice += [f"convert {' and '.join(heif)} to JPEG"] if heif else []
    return Sentence(
        f"{_some(map(_files, found))} {verb} read here, but ImageFolder ignores {them}, even in an"
        " export",
        "; ".join(advice),
    )


def _shifts(notices: Notices) -> Sentence | None:
    """Say why row numbers differ from those of ImageFolder, if they do."""
    causes = []
    classes = [one.names[0] for one in notices if one.shifts == "classes"]
    if classes:
        what = "a class" if len(classes) == 1 else "classes"
        causes.append(f"treats {_some(map(printable, classes))} as {what}")
    counts: Counter[Kind] = Counter()
    for notice in notices:
        if notice.shifts == "rows":
            counts[notice.kind] += notice.count
    if counts["hidden"]:
        causes.append(f"lists {_count(counts['hidden'], 'hidden file')}")
    if counts["folder"]:
        causes.append("enters folders that are ignored here")
    if counts["more"]:
        causes.append(f"ignores {_count(counts['more'], 'image')}")
    if counts["loop"] or counts["again"]:
        causes.append("enters folders twice")
    if not causes:
        return None
    *first, last = causes
    return Sentence(
        "rows of -o FILE.npy differ from those of ImageFolder, which"
        f" {', '.join(first)}{' and ' if first else ''}{last}",
        "use paths (-o FILE.txt), or remove the cause",
    )


def _loops(notices: Notices) -> Sentence | None:
    found = []
    for one in _of(notices, "loop"):
        path, target = map(printable, one.names)
        found.append(f"{path} leads back to {'the dataset itself' if target == '.' else target}")
    found += [
        f"{printable(one.names[0])} is {printable(one.names[1])}" for one in _of(notices, "again")
    ]
    if not found:
        return None
    return Sentence(f"folders are entered only once: {_some(found)}")


def _twins(notices: Notices) -> Sentence | None:
    found = _of(notices, "twin")
    if not found:
        return None
    images = sum(one.count for one in found)
    pairs = [f"{printable(one.names[0])} and {printable(one.names[1])}" for one in found]
    fact = "are the same folder" if len(found) == 1 else "are the same folders"
    return Sentence(
        f"{_some(pairs)} {fact}, so {_count(images, 'image')}"
        f" {'counts' if images == 1 else 'count'} twice",
        "remove one of the names",
    )


def _alike(notices: Notices) -> Sentence | None:
    found = [*_of(notices, "alike classes"), *_of(notices, "alike files")]
    if not found:
        return None
    shown = [" and ".join(map(_shown, one.names)) for one in found[:SHOWN]]
    more = sum(one.count for one in found) - len(shown)
    rest = f" and {_count(more, 'more pair')}" if more else ""
    return Sentence(
        f"names that differ only by case or Unicode form: {', '.join(shown)}{rest}",
        "a disk of macOS or Windows would merge them; rename one",
    )


def _rows(notices: Notices) -> Iterator[Sentence]:
    """Compare the rows of a list with the images in its folders."""
    for notice in notices:
        match notice.kind:
            case "missing images":
                example, folder = map(printable, notice.names)
                where = f" in {folder}" if folder else ""
                yield Sentence(
                    f"ignored {_count(notice.count, 'row')} whose image does not exist{where}, such"
                    f" as {example}",
                    "" if folder else "--images names another folder",
                )
            case "double rows":
                yield Sentence(f"ignored {_count(notice.count, 'repeated row')}")
            case "no class":
                yield Sentence(f"ignored {_count(notice.count, 'row')} without a class")
            case "no match":
                yield Sentence(
                    f"ignored {_count(notice.count, 'image')} without a class in the name, such as"
                    f" {printable(notice.names[0])}"
                )
            case "no row":
                yield Sentence(
                    f"not listed: {_count(notice.count, 'image')} in its folders, such as"
                    f" {printable(notice.names[0])}"
                )


def _shown(name: str) -> str:
    """Show a name so that it differs from one that looks the same."""
    return printable(name) if name.isascii() else ascii(name)[1:-1]


def _layout(dataset: Dataset, data: str) -> Sentence | None:
    """Say which layout it looks like, if not one folder per class."""
    by_kind = {notice.kind: notice for notice in dataset.notices}
    for kind, say in LAYOUTS.items():
        if kind in by_kind:
            return say(by_kind[kind], data)
    if (
        dataset.flat and dataset.listed is None and not dataset.looks_like_class
    ):  # which is refused later, unless --store says that it is meant
        classes = "classes in .cls or .json files" if dataset.source.containers else "class folders"
        return Sentence(f"has no {classes}, so its images form one class", CLUSTER)
    used = set(dataset.classes) - set(dataset.empty_classes) - {FLAT}
    if len(used) == 1:
        return Sentence(f"all images are in one class, {printable(clipped(min(used)))}", CLUSTER)
    return None


CLUSTER = "use --labels kmeans:K to cluster them"
KMEANS = "use --labels kmeans:K"
WAYS = f"make one folder per class, or {KMEANS}, or --features with --labels"


def _labels(notice: Notice, data: str) -> Sentence:
    name, *found = map(printable, notice.names)
    where = "" if name == FLAT else f", {name}"
    lists = [f"{data}/{one}" for one in found if is_list(one)]
    advice = f"pass {lists[0]} if it lists the classes, or {KMEANS}" if lists else WAYS
    return Sentence(f"all images are in one class{where}; not read: {_some(found)}", advice)


def _parts(notice: Notice, _: str) -> Sentence:
    if len(notice.names) == 1:
        return Sentence(f"all images are in one class, {printable(notice.names[0])}", WAYS)
    return Sentence(
        f"its folders are used as classes, but have names of parts of a dataset:"
        f" {_some(map(printable, notice.names))}",
        WAYS,
    )


def _deeper(notice: Notice, data: str) -> Sentence:
    name, *inner = map(printable, notice.names)
    fact = f"all images are in one class, {name}, in its folders {_some(inner)}"
    if all(map(is_split_name, inner)):
        return Sentence(fact, f"pass one of them, e.g. {data}/{name}/{inner[0]}")
    return Sentence(fact, f"if those are the classes, pass {data}/{name}")


def _objects(notice: Notice, _: str) -> Sentence:
    kind, example = map(printable, notice.names)
    return Sentence(
        f"looks like {kind} ({example}), where an image has several labels, not one class",
        "use --labels kmeans:K to cluster the images, or --features with --labels, or --scores",
    )


def _nested(notice: Notice, data: str) -> Sentence:
    name, *inner = map(printable, notice.names)
    return Sentence(
        f"no class folder has images itself; those of {name} are in its folders {_some(inner)}",
        f"if those are the classes, pass {data}/{name}",
    )


def _splits_inside(notice: Notice, _: str) -> Sentence:
    name, *inner = map(printable, notice.names)
    return Sentence(
        f"each class has folders named like splits, whose images are mixed: {_some(inner)}",
        f"make one folder per split, with the classes in it, e.g. {inner[-1]}/{name}",
    )


LAYOUTS: dict[Kind, Callable[[Notice, str], Sentence]] = {
    "objects": _objects,
    "parts": _parts,
    "nested": _nested,
    "splits inside": _splits_inside,
    "deeper": _deeper,
    "labels": _labels,
}


def _of(notices: Notices, kind: Kind) -> list[Notice]:
    return [notice for notice in notices if notice.kind == kind]


def _files(notice: Notice) -> str:
    return f"{notice.count} {printable(notice.names[0])}"


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join([*found[:SHOWN], "..."] if len(found) > SHOWN else found)
