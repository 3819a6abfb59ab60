"""Recognize datasets of objects by the files beside their images: COCO, YOLO, Pascal VOC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from moderate_cli.dataset.names import suffix_of

COCO = re.compile(
    r"(.*annotations?.*|.*coco.*|(instances|captions|person_keypoints|panoptic)_.*)\.json",
    re.IGNORECASE,
)
YAML = (".yaml", ".yml")
LABELS = re.compile(r"labels?", re.IGNORECASE)


class Annotations(NamedTuple):
    """A format, and an example of its files."""

    format: str
    example: str


def annotations_in(
    images: int,
    folders: Iterable[str],
    root_files: Sequence[str],
    texts: Mapping[str, int],
    text_names: Sequence[str],
) -> Annotations | None:
    """Return the format of annotations beside images; None if there are none.

    Parameters
    ----------
    images
        Number of images.
    folders
        Folders without images.
    root_files
        Names of the files beside all folders.
    texts, text_names
        Texts and tables in folders: the number of each suffix, and the paths of some.
    """
    for path in (*sorted(root_files), *text_names):
        if COCO.fullmatch(path.rpartition("/")[2]):
            return Annotations("COCO", path)
    enough = max(1, images // 2)
    if texts.get(".xml", 0) >= enough:
        return Annotations("Pascal VOC", min(p for p in text_names if suffix_of(p) == ".xml"))
    labels = [name for name in folders if LABELS.fullmatch(name)]
    lines = [path for path in text_names if suffix_of(path) == ".txt"]
    if labels and any(path.split("/")[0] in labels for path in lines):
        described = [name for name in sorted(root_files) if suffix_of(name) in YAML]
        return Annotations("YOLO", next(iter(described), f"{labels[0]}/"))
    return None
