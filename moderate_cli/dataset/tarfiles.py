"""What a tar file holds, each with the name, size and place that are its own."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from moderate_cli.errors import DatasetError
from moderate_cli.text import one_line

# What `tarfile` raises for headers that are damaged, or were made to be odd.
DAMAGE = (
    tarfile.TarError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError,
    RecursionError, MemoryError, EOFError,
)  # fmt: skip
MOST_BYTES = 1 << 40  # of a file with holes, which a tar file of a few bytes may say that it has
LOOKED_AT = 1 << 16  # bytes behind the end, where nothing but zeros may be
MAGIC = 257  # where in a header it says that it is one
LABELS = (b"V", b"D")  # GNU tar's name of a volume, and its list of a folder
SECONDS = re.compile(r"-?\d{1,11}(\.\d+)?")


class Piece(NamedTuple):
    """Bytes that follow each other in a file: where in the file, where in the tar, how many."""

    start: int
    offset: int
    size: int


class Entry(NamedTuple):
    """Something in a tar file.

    Attributes
    ----------
    name
        Its own.
    kind
        "" for a file or a hard link to one, else "symbolic link" or "special file".
    size
        Bytes of it, with its holes.
    pieces
        Where they lie; what is between is zeros.
    header
        What the tar file says of its owner, mode and time: of a hard link, of what it leads to.
    """

    name: str
    kind: str
    size: int
    pieces: tuple[Piece, ...]
    header: tarfile.TarInfo


class Archive(NamedTuple):
    """A tar file that is open for reading, and the descriptor that it is read by."""

    tar: tarfile.TarFile
    descriptor: int


@contextlib.contextmanager
def opened(shard: str) -> Iterator[Archive]:
    """Open a tar file that is not compressed.

    Raises
    ------
    DatasetError
        If it is none, or what is read of it in the meantime turns out to be damaged.
    OSError
        If it cannot be read.
    """
    with open(shard, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DatasetError(f"{shard}: is not a regular file; name tar files")
        try:
            yield Archive(_open(file), file.fileno())
        except tarfile.TarError as error:
            raise DatasetError(
                f"{shard}: is no tar file that can be read in parts ({one_line(error)})"
            ) from None


def entries(archive: Archive) -> Iterator[Entry]:
    """Yield all but the folders of a tar file.

    Raises
    ------
    tarfile.ReadError
        If a header is damaged, or says what cannot be.
    """
    tar, end = archive.tar, os.fstat(archive.descriptor).st_size
    files: dict[str, Entry] = {}
    while (header := _next(tar)) is not None:
        if header.isdir() or header.type in LABELS:
            continue
        entry = _entry(header, files, end)
        if not entry.kind:
            files[entry.name] = entry
        yield entry
    # A damaged header ends the iteration just as the end does, which is zeros or nothing.
    rest = os.pread(archive.descriptor, LOOKED_AT, tar.offset)
    if rest[: tarfile.BLOCKSIZE].strip(b"\0"):
        raise tarfile.ReadError(f"damaged at byte {tar.offset}")
    after = len(rest) - len(rest.lstrip(b"\0"))
    if rest[after + MAGIC :].startswith(b"ustar"):
        raise tarfile.ReadError("another one follows its end; join them by tar --concatenate")


def read_pieces(descriptor: int, size: int, pieces: Sequence[Piece]) -> bytes:
    """Read a file out of an open tar file."""
    if len(pieces) == 1 and pieces[0].size == size:
        return os.pread(descriptor, size, pieces[0].offset)
    content = bytearray(size)
    for piece in pieces:
        part = os.pread(descriptor, piece.size, piece.offset)
        content[piece.start : piece.start + len(part)] = part
    return bytes(content)


def copy_entry(archive: Archive, entry: Entry, out: tarfile.TarFile) -> None:
    """Write a file to another tar file, without holes, under a header that is made afresh.

    Of the old header only name, owner, mode and time are taken: what else it says is of how the
    file lay in the old tar file, or is of another file that this one is a hard link to.
    """
    try:
        out.addfile(_fresh(entry), archive.tar.extractfile(entry.header))
    except OSError as error:
        if error.errno is not None:  # of the new tar file, such as of a full disk
            raise
        raise tarfile.ReadError(f"{entry.name} is cut short") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO, too, whose writer may never come."""
    return os.open(path, flags | os.O_NONBLOCK)


def _open(file: BinaryIO) -> tarfile.TarFile:
    try:
        return tarfile.open(mode="r:", fileobj=file)
    except DAMAGE as error:
        raise tarfile.ReadError(one_line(error)) from None


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except DAMAGE as error:
        raise tarfile.ReadError(one_line(error)) from None


def _entry(header: tarfile.TarInfo, files: dict[str, Entry], end: int) -> Entry:
    # GNU tar names a file with holes twice, and `tarfile` takes the one that comes last.
    name = header.pax_headers.get("GNU.sparse.name", header.name)
    if "\0" in name:
        raise tarfile.ReadError(f"{name!r} holds a NUL byte")
    if header.islnk():
        if header.linkname not in files:
            raise tarfile.ReadError(f"{name} is a link to what is not before it")
        return files[header.linkname]._replace(name=name)
    if not header.isreg():
        kind = "symbolic link" if header.issym() else "special file"
        return Entry(name, kind, 0, (), header)
    stored = header.size
    if header.sparse is not None:
        header.size, places = _places(header)
        # As `tarfile` wants it, which reads the content.
        header.sparse = places  # type: ignore[assignment]
        stored = sum(length for _, length in places)
    else:
        places = [(0, header.size)]
    if not 0 <= header.size <= max(end, MOST_BYTES) or header.offset_data + stored > end:
        raise tarfile.ReadError(f"{name} is longer than the file")
    return Entry(
        name, "", header.size, tuple(_pieces(header.offset_data, places or [(0, 0)])), header
    )


def _places(header: Any) -> tuple[int, list[tuple[int, int]]]:
    """Return the size of a file with holes, and where in it, and how long, there is something."""
    fields = [header.pax_headers.get(f"GNU.sparse.{name}") for name in ("realsize", "size")]
    places, last = [], 0
    try:
        size = next((int(field) for field in fields if field is not None), header.size)
        for start, length in header.sparse:
            if length == 0:  # as the last one is, of a file that ends with a hole
                continue
            if length < 0 or start < last or start + length > size:
                raise ValueError(start)
            places.append((start, length))
            last = start + length
    except (ValueError, TypeError):
        raise tarfile.ReadError(f"{header.name} has a damaged list of holes") from None
    return size, places


def _pieces(offset: int, places: Iterable[tuple[int, int]]) -> Iterator[Piece]:
    for start, size in places:
        yield Piece(start, offset, size)
        offset += size


def _fresh(entry: Entry) -> tarfile.TarInfo:
    old, fresh = entry.header, tarfile.TarInfo(entry.name)
    fresh.size, fresh.mode, fresh.type = entry.size, old.mode & 0o7777, tarfile.REGTYPE
    fresh.uid, fresh.gid = max(0, old.uid), max(0, old.gid)
    fresh.uname, fresh.gname = (name.partition("\0")[0] for name in (old.uname, old.gname))
    time = str(old.pax_headers.get("mtime", old.mtime))
    if SECONDS.fullmatch(time):
        fresh.mtime = float(time) if "." in time else int(time)
        if "." in time:  # which a float would round
            fresh.pax_headers = {"mtime": time}
    return fresh
