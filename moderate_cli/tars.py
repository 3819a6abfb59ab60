"""Samples in tar files, as WebDataset keeps them: files of one key, one of them an image."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.dataset import FLAT, IMAGE_EXTENSIONS, Dataset
from moderate_cli.errors import DatasetError
from moderate_cli.paths import Paths
from moderate_cli.places import place
from moderate_cli.sources import NO_STAT, Stat, as_stat, file_stat

LABELS = ("cls", "json")  # files that may tell the class of a sample, the first of them first
JSON_KEYS = ("cls", "label", "class")  # what tells it in a json file


class Member(NamedTuple):
    """Where an image lies: a tar file, and the first byte and the number of them in it."""

    shard: str
    offset: int
    size: int


@dataclass(frozen=True)
class Tars:
    """Images in tar files.

    Attributes
    ----------
    shards
        The tar files, absolute, in the order that they were named in, each with its stat when it
        was listed: in another one, images lie elsewhere.
    members
        Where each image lies.
    """

    shards: Mapping[str, Stat]
    members: Mapping[str, Member]
    has_neighbors = True

    def stat(self, name: str) -> Stat:
        """Size of an image in bytes; times and inode of its tar file.

        -1 if it is missing, or its tar file has changed since it was listed.
        """
        member = self.members.get(name)
        if member is None:
            return NO_STAT
        listed = self.shards[member.shard]
        return (member.size, *listed[1:]) if file_stat(member.shard) == listed else NO_STAT

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Bytes of an image, and its stat; another one if its tar file has changed meanwhile."""
        member = self.members[name]
        descriptor = os.open(member.shard, os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.pread(descriptor, member.size, member.offset)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        now = as_stat(status)
        marks = now[1:] if now == self.shards[member.shard] else NO_STAT[1:]
        return content, (len(content), *marks)

    def part(self, names: Iterable[str]) -> Tars:
        """Return what knows these images alone."""
        return Tars(self.shards, {name: self.members[name] for name in names})


@dataclass
class _Sample:
    image: Member | None = None
    labels: dict[str, str] = field(default_factory=dict)


def scan_tars(pattern: str) -> Dataset:
    """List the samples of tar files, in their order; a sample's path is its key.

    Parameters
    ----------
    pattern
        A tar file, or several in braces, such as `shards/{000..146}.tar`.

    Raises
    ------
    DatasetError
        If a file cannot be read, a key stands for two samples, or only some samples have a class.
    """
    root = root_of(pattern)
    shards: dict[str, Stat] = {}
    images: dict[str, Member] = {}
    labels: dict[str, str] = {}
    for shard in (os.fspath(place(name)) for name in _expanded(pattern)):
        shards[shard] = file_stat(shard)  # before it is read, so that no change escapes
        try:
            samples = _samples(shard)
        except OSError as error:
            raise DatasetError(f"{shard}: {error.strerror}; name tar files") from None
        for key, sample in samples.items():
            if sample.image is None:
                continue
            if key in images:
                raise DatasetError(
                    f"{pattern}: {key} is the key of two samples, in"
                    f" {os.path.basename(images[key].shard)} and {os.path.basename(shard)};"
                    " keys must tell samples apart"
                )
            images[key] = sample.image
            label = next((sample.labels[kind] for kind in LABELS if kind in sample.labels), None)
            if label is not None:
                labels[key] = label
    if not images:
        raise DatasetError(f"{pattern}: holds no images ({' '.join(IMAGE_EXTENSIONS)})")
    source = Tars(shards, {f"{root}/{key}": member for key, member in images.items()})
    if not labels:
        return Dataset(
            root, (FLAT,), Paths.of(images), np.zeros(len(images), dtype=np.int64), source
        )
    without = next((key for key in images if key not in labels), None)
    if without is not None:
        raise DatasetError(f"{pattern}: {without} has no class, in .cls or .json, as others have")
    classes = sorted(set(labels.values()), key=_order)
    label_of = {name: label for label, name in enumerate(classes)}
    own = np.array([label_of[labels[key]] for key in images], dtype=np.int64)
    return Dataset(root, tuple(classes), Paths.of(images), own, source)


def root_of(pattern: str) -> Path:
    """Path that stands for the folder of a dataset, beside which its features lie.

    >>> root_of("/data/train-{000..146}.tar")
    PosixPath('/data/train-000..146')
    """
    return place(pattern.replace("{", "").replace("}", "").removesuffix(".tar"))


def write_tars(source: Tars, keys: set[str], folder: Path) -> Iterator[None]:
    """Write tar files of the same names with the samples of these keys; yield at each sample.

    All files of a sample are kept, byte for byte; a tar file of which nothing is kept is not
    written.
    """
    for shard in source.shards:
        target = folder / os.path.basename(shard)
        with _opened(shard) as tar, tarfile.open(target, "x:") as out:
            written = set()
            for member in _files(tar):
                key, _ = split_name(member.name)
                if key not in keys:
                    continue
                out.addfile(member, tar.extractfile(member))
                if key not in written:
                    written.add(key)
                    yield
        if not written:
            target.unlink()


def split_name(name: str) -> tuple[str, str]:
    """Split the name of a member into its key and extension, as WebDataset does.

    >>> split_name("photos.2/0001.seg.PNG")
    ('photos.2/0001', 'seg.png')
    """
    folder, base = os.path.split(name)
    stem, _, extension = base.partition(".")
    return os.path.join(folder, stem), extension.lower()


def _expanded(pattern: str) -> list[str]:
    if "{" not in pattern:
        return [pattern]
    try:
        from braceexpand import braceexpand
    except ImportError:
        raise DatasetError(
            f"{pattern}: braces want pip install 'moderate-cli[webdataset]'"
        ) from None
    try:
        return list(braceexpand(pattern))
    except ValueError:
        raise DatasetError(f"{pattern}: its braces do not match") from None


def _samples(shard: str) -> dict[str, _Sample]:
    samples: dict[str, _Sample] = {}
    seen: set[tuple[str, str]] = set()
    with _opened(shard) as tar:
        for member in _files(tar):
            key, extension = split_name(member.name)
            if not os.path.basename(key):  # such as those that macOS adds, named ._photo.jpg
                continue
            if (key, extension) in seen:
                raise DatasetError(
                    f"{shard}: holds {member.name} twice; keys must tell samples apart"
                )
            seen.add((key, extension))
            sample = samples.setdefault(key, _Sample())
            if _is_image(extension) and sample.image is None:
                sample.image = Member(shard, member.offset_data, member.size)
            elif extension in LABELS:
                file = tar.extractfile(member)
                assert file is not None  # it is a file
                label = _label(extension, file.read())
                if label is not None:
                    sample.labels[extension] = label
    return samples


@contextlib.contextmanager
def _opened(shard: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(shard, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise DatasetError(f"{shard}: is no tar file that can be read in parts ({error})") from None


def _files(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the files of a tar file; a hard link is one, with the content of what it leads to."""
    files: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        if member.islnk():
            if member.linkname not in files:
                raise tarfile.ReadError(f"{member.name} is a link to what is not before it")
            linked = copy.copy(files[member.linkname])
            linked.name = member.name
            member = linked
        if member.isfile():
            files[member.name] = member
            yield member
    # A damaged header ends the iteration just as the end does, which is zeros or nothing.
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"damaged at byte {tar.offset}")


def _is_image(extension: str) -> bool:
    return f".{extension}".endswith(IMAGE_EXTENSIONS)


def _label(extension: str, content: bytes) -> str | None:
    """Return the class that a file tells, if any."""
    text = content.decode(errors="replace").strip()
    if extension == "cls":
        return text
    try:
        fields: Any = json.loads(text)
    except ValueError:
        return None
    found = (fields.get(key) for key in JSON_KEYS) if isinstance(fields, dict) else ()
    return next((str(value) for value in found if isinstance(value, (str, int))), None)


def _order(name: str) -> tuple[bool, int, str]:
    """Order numbers by their value, before names."""
    number = name.isascii() and name.isdigit()
    return (not number, int(name) if number else 0, name)
