"""Samples in tar files, as in WebDataset: files of one key, one of them an image."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moderate_cli.dataset.dataset import FLAT, Dataset
from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS, readable_extensions
from moderate_cli.dataset.names import TAR
from moderate_cli.dataset.notices import Notice
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.relabeled_samples import with_class
from moderate_cli.dataset.samples import Sample, class_order, split_name
from moderate_cli.dataset.sources import NO_STAT, Stat, as_stat, file_stat
from moderate_cli.dataset.tarfiles import (
    Archive,
    Entry,
    Piece,
    copy_entry,
    entries,
    opened,
    read_pieces,
)
from moderate_cli.errors import DatasetError
from moderate_cli.files.places import place
from moderate_cli.platforms import READ


class Member(NamedTuple):
    """An image in a tar file: offset and size in bytes; in pieces if it is stored with holes."""

    shard: str
    offset: int
    size: int
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Tars:
    """Images in tar files.

    Attributes
    ----------
    shards
        The tar files, absolute, in the order of their names on the command line, each with its
        stat when it was listed. If that changed, so may the offsets of images.
    members
        Position of each image, by name.
    """

    shards: Mapping[str, Stat]
    members: Mapping[str, Member]
    has_neighbors = True
    suffix = TAR

    @property
    def containers(self) -> tuple[str, ...]:
        """The tar files."""
        return tuple(self.shards)

    def stat(self, name: str) -> Stat:
        """Return the size of an image in bytes, and times and inode of its tar file.

        They are -1 if it is missing, or its tar file has changed since it was listed.
        """
        member = self.members.get(name)
        if member is None:
            return NO_STAT
        listed = self.shards[member.shard]
        return (member.size, *listed[1:]) if file_stat(member.shard) == listed else NO_STAT

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Return the bytes of an image, and its stat; -1 if its tar file has changed."""
        member = self.members[name]
        descriptor = os.open(member.shard, READ)
        try:
            pieces = member.pieces or (Piece(0, member.offset, member.size),)
            content = read_pieces(descriptor, member.size, pieces)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        now = as_stat(status)
        marks = now[1:] if now == self.shards[member.shard] else NO_STAT[1:]
        return content, (len(content), *marks)

    def part(self, names: Iterable[str]) -> Tars:
        """Return a source of these images only, and of their tar files."""
        members = {name: self.members[name] for name in names}
        own = {member.shard for member in members.values()}
        return Tars({name: stat for name, stat in self.shards.items() if name in own}, members)


def scan_tars(pattern: str) -> Dataset:
    """List the samples of tar files, in their order; a sample's path is its key.

    Parameters
    ----------
    pattern
        A tar file, or several with braces, such as `shards/{000..146}.tar`.

    Raises
    ------
    DatasetError
        If a file cannot be read, two samples have one key, or only some samples have a class.
    """
    root = root_of(pattern)
    shards: dict[str, Stat] = {}
    images: dict[str, Member] = {}
    labels: dict[str, str] = {}
    ignored: Counter[str] = Counter()
    for shard in (os.fspath(place(name)) for name in _expanded(pattern)):
        shards[shard] = file_stat(shard)  # before reading, so that no change is missed
        try:
            for key, member, label in _read(shard, ignored):
                if key in images:
                    raise _twice(pattern, key, images[key].shard, shard)
                images[key] = member
                if label is not None:
                    labels[key] = label
        except OSError as error:
            raise DatasetError(f"{shard}: {error.strerror}; name tar files") from None
    if not images:
        raise DatasetError(f"{pattern}: contains no images ({' '.join(IMAGE_EXTENSIONS)})")
    source = Tars(shards, {f"{root}/{key}": member for key, member in images.items()})
    notices = tuple(
        Notice("suffix" if kind.startswith(".") else "member", count, (kind,))
        for kind, count in sorted(ignored.items(), key=lambda item: (-item[1], item[0]))
    )
    if not labels:
        flat = np.zeros(len(images), dtype=np.int64)
        return Dataset(root, (FLAT,), Paths.of(images), flat, source, notices)
    without = next((key for key in images if key not in labels), None)
    if without is not None:
        raise DatasetError(
            f"{pattern}: {without} has no class in .cls or .json, but others do; add it"
        )
    classes = sorted(set(labels.values()), key=class_order)
    label_of = {name: label for label, name in enumerate(classes)}
    own = np.array([label_of[labels[key]] for key in images], dtype=np.int64)
    return Dataset(root, tuple(classes), Paths.of(images), own, source, notices)


def root_of(pattern: str) -> Path:
    """Return the path that serves as the root of the dataset; features are stored beside it.

    >>> root_of("/data/train-{000..146}.tar")
    PosixPath('/data/train-000..146')
    """
    name = pattern.replace("{", "").replace("}", "")
    return place(name[: -len(TAR)] if name.lower().endswith(TAR) else name)


def write_tars(
    source: Tars, keys: set[str], classes: Mapping[str, str], folder: Path
) -> Iterator[None]:
    """Write tar files of the same names with the samples of these keys; yield at each sample.

    All files of a sample are kept, byte for byte, except those that have the class of a sample with
    a new one, by its key. A tar file without kept samples is not written.

    Raises
    ------
    DatasetError
        If a tar file has changed since it was listed, or a sample cannot have its new class.
    """
    for shard, listed in source.shards.items():
        target = folder / os.path.basename(shard)
        with opened(shard) as archive, tarfile.open(target, "x:") as out:
            found: Iterable[Entry] = entries(archive)
            new = dict[str, bytes]()  # contents by the name of the file
            if classes:
                found = list(found)
                new = _relabeled(shard, archive, found, classes)
            written = set()
            for entry in found:
                key, _ = split_name(entry.name)
                if key not in keys or entry.kind:
                    continue
                copy_entry(archive, entry, out, new.get(entry.name))
                if key not in written:
                    written.add(key)
                    yield
        if file_stat(shard) != listed:
            raise DatasetError(f"{shard}: has changed since it was listed; run again")
        if not written:
            target.unlink()


def _relabeled(
    shard: str, archive: Archive, found: Iterable[Entry], classes: Mapping[str, str]
) -> dict[str, bytes]:
    """Return the new contents of the files that have the class of a sample with a new one."""
    own = [entry for entry in found if split_name(entry.name)[0] in classes]
    new: dict[str, bytes] = {}
    for key, sample in _samples(shard, own, Counter()).items():
        image = sample.image(shard)
        if image is not None:
            new |= with_class(sample, image, classes[key], shard, archive.content)
    return new


def _expanded(pattern: str) -> list[str]:
    if "{" not in pattern:
        return [pattern]
    try:
        from braceexpand import braceexpand
    except ImportError:
        raise DatasetError(
            f"{pattern}: braces need a missing package; pip install 'moderate-cli[webdataset]'"
        ) from None
    try:
        return list(braceexpand(pattern))
    except ValueError:
        raise DatasetError(f"{pattern}: its braces do not match") from None


def _read(shard: str, ignored: Counter[str]) -> Iterator[tuple[str, Member, str | None]]:
    """Yield key, image and class of each sample of a tar file, and count ignored files."""
    with opened(shard) as archive:
        samples = _samples(shard, entries(archive), ignored)
        for key, sample in samples.items():
            extension = sample.image(shard)
            ignored.update(sample.ignored(extension))
            if extension is not None:
                image = sample.images[extension]
                label = sample.label(extension, shard, archive.content)
                yield key, _member(shard, image), label


def _member(shard: str, image: Entry) -> Member:
    offset = image.header.offset_data
    # For millions of images, tuples of pieces would take more memory than everything else.
    whole = image.pieces == (Piece(0, offset, image.size),)
    return Member(shard, offset, image.size, () if whole else image.pieces)


def _samples(shard: str, found: Iterable[Entry], ignored: Counter[str]) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    images = readable_extensions()
    seen: set[tuple[str, str]] = set()
    for entry in found:
        key, extension = split_name(entry.name)
        if entry.kind or not os.path.basename(key):  # e.g. ._photo.jpg, which macOS adds
            ignored[entry.kind or "hidden file"] += 1
            continue
        if (key, extension) in seen:
            raise DatasetError(
                f"{shard}: contains {entry.name} twice; rename one, so that each sample has its"
                " own key"
            )
        seen.add((key, extension))
        samples.setdefault(key, Sample()).add(extension, entry, images)
    return samples


def _twice(pattern: str, key: str, one: str, other: str) -> DatasetError:
    return DatasetError(
        f"{pattern}: {key} is the key of two samples, in {os.path.basename(one)} and"
        f" {os.path.basename(other)}; rename one (a key ends at the first dot)"
    )
