"""Recognize layouts other than class folders, by the names of files and folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from moderate_cli.dataset.annotations import annotations_in
from moderate_cli.dataset.names import suffix_of
from moderate_cli.dataset.notices import Notice

# Names of splits, and of parts of splits, such as train-0.3.
SPLIT = r"(train|training|val|valid|validation|dev|test|testing|eval)"
SPLIT_NAME = re.compile(SPLIT + r"(-[\d.]+)?", re.IGNORECASE)
# Folders of images, labels and masks as label tools and competitions name them: images,
# train_images, imgs-val, test2017, JPEGImages, Annotations, SegmentationClass.
WHAT = r"(images?|imgs?|jpe?gs?|jpe?gimages|pngimages|pngs?)"
OF = r"(data|sets?|photos|pictures|frames)"  # which may be classes, unless after "train"
LABELS = r"(labels?|annotations?|annots?|bboxes|masks?|ground_?truth|imagesets|segmentation\w*)"
SEP = r"[-_ ]?"
PART_NAME = re.compile(
    rf"{SPLIT}({SEP}({WHAT}|{OF}|{LABELS}|\d[\d.]*))?|{WHAT}({SEP}{SPLIT})?\d*|{LABELS}({SEP}{SPLIT})?",
    re.IGNORECASE,
)
# Suffixes of files that may contain labels; a .txt may if its name matches LABEL_TEXT.
LABEL_SUFFIXES = frozenset(
    (".csv", ".tsv", ".json", ".jsonl", ".xml", ".parquet", ".arrow", ".yaml", ".yml")
)
LABEL_TEXT = re.compile(
    r".*(label|annot|class|train|test|val|list|split|attr|bbox|box|image|img|meta|caption).*\.txt",
    re.IGNORECASE,
)


class ClassShape(NamedTuple):
    """Where the images of a class are in its folder.

    Attributes
    ----------
    name
        The class.
    images, direct
        Number of images, and number of those that are in no inner folder.
    inner
        Folders with images in the class folder, sorted.
    """

    name: str
    images: int
    direct: int
    inner: tuple[str, ...]


def is_split_name(name: str) -> bool:
    """Whether a folder is named like a split of a dataset.

    >>> is_split_name("train"), is_split_name("train_images"), is_split_name("trainer")
    (True, False, False)
    """
    return SPLIT_NAME.fullmatch(name) is not None


def is_part_name(name: str) -> bool:
    """Whether a folder is named like a part of a dataset, such as a split, not like a class.

    >>> is_part_name("train_images"), is_part_name("JPEGImages"), is_part_name("imagery")
    (True, True, False)
    """
    return PART_NAME.fullmatch(name) is not None


def layout_notices(
    classes: Sequence[ClassShape],
    empty: Sequence[str],
    root_files: Sequence[str],
    texts: Mapping[str, int],
    text_names: Sequence[str],
) -> Iterator[Notice]:
    """Yield a notice if the layout does not look like one folder per class.

    Parameters
    ----------
    classes
        The classes with images; one named "." for images without class folders.
    empty
        Class folders without images.
    root_files
        Names of the files beside the class folders.
    texts, text_names
        Texts and tables in class folders: the number of each suffix, and the paths of some.
    """
    names = [shape.name for shape in classes]
    if len(classes) == 1 or all(map(is_part_name, names)):
        images = sum(shape.images for shape in classes)
        found = annotations_in(images, empty, root_files, texts, text_names)
        if found is not None:
            yield Notice("objects", images, found)
            return
    if len(classes) > 1:
        if all(map(is_part_name, names)):
            yield Notice("parts", len(names), tuple(names))
        elif all(map(_of_splits, classes)):
            inside = {name for shape in classes for name in shape.inner}
            yield Notice("splits inside", len(names), (names[0], *sorted(inside)))
        elif not any(shape.direct for shape in classes):
            inner = [name for shape in classes for name in shape.inner]
            # Folders that classes share, such as day1 or images, are parts of them.
            if len(set(inner)) == len(inner) > len(classes):
                yield Notice("nested", len(names), (names[0], *classes[0].inner))
        return
    (only,) = classes
    if only.inner and not only.direct:
        yield Notice("deeper", len(only.inner), (only.name, *only.inner))
    elif labels := _labels(only, empty, root_files, texts, text_names):
        yield Notice("labels", len(labels), (only.name, *labels))
    elif only.name != "." and is_part_name(only.name):
        yield Notice("parts", 1, (only.name,))


def _of_splits(shape: ClassShape) -> bool:
    inner = shape.inner
    return len(inner) > 1 and not shape.direct and all(map(is_split_name, inner))


def _labels(
    only: ClassShape,
    empty: Sequence[str],
    root_files: Sequence[str],
    texts: Mapping[str, int],
    text_names: Sequence[str],
) -> list[str]:
    """Return names of files that may contain labels, the most likely first."""
    found = sorted(filter(_may_be_labels, root_files))
    found += [f"{name}/" for name in empty if is_part_name(name)]
    for suffix, count in sorted(texts.items()):
        own = [name for name in text_names if suffix_of(name) == suffix]
        if count >= max(2, only.images / 2) and suffix in LABEL_SUFFIXES | {".txt"}:
            found.append(f"{count} {suffix} beside the images")
        else:
            found += sorted(filter(_may_be_labels, own))
    return found


def _may_be_labels(path: str) -> bool:
    name = path.rpartition("/")[2]
    return suffix_of(name) in LABEL_SUFFIXES or LABEL_TEXT.fullmatch(name) is not None
