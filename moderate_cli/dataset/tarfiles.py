"""Read the entries of a tar file: name, size and position of each."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from moderate_cli.errors import DatasetError
from moderate_cli.platforms import READ, pread
from moderate_cli.text import one_line

# Errors of `tarfile` for damaged or hostile headers.
DAMAGE = (
    tarfile.TarError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError,
    RecursionError, MemoryError, EOFError,
)  # fmt: skip
MOST_BYTES = 1 << 40  # of a file with holes, as a tar file of a few bytes may claim
LOOKED_AT = 1 << 16  # bytes after the end, which must be zeros
MAGIC = 257  # position of "ustar" in a header
LABELS = (b"V", b"D")  # GNU tar's name of a volume, and its list of a folder
SECONDS = re.compile(r"-?\d{1,11}(\.\d+)?")


class Piece(NamedTuple):
    """A run of bytes: its position in the file, its position in the tar file, its length."""

    start: int
    offset: int
    size: int


class Entry(NamedTuple):
    """An entry of a tar file.

    Attributes
    ----------
    name
        Its name.
    kind
        "" for a file or a hard link, else "symbolic link" or "special file".
    size
        Its size in bytes, with holes.
    pieces
        Its bytes in the tar file; between them are zeros.
    header
        Its owner, mode and time; of a hard link, those of its target.
    """

    name: str
    kind: str
    size: int
    pieces: tuple[Piece, ...]
    header: tarfile.TarInfo


class Archive(NamedTuple):
    """A tar file that is open for reading, and its descriptor."""

    tar: tarfile.TarFile
    descriptor: int

    def content(self, entry: Entry) -> bytes:
        """Read a file."""
        return read_pieces(self.descriptor, entry.size, entry.pieces)


@contextlib.contextmanager
def opened(shard: str) -> Iterator[Archive]:
    """Open a tar file that is not compressed.

    Raises
    ------
    DatasetError
        If it is not a tar file, or is damaged, also where the block reads it.
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
                f"{shard}: is not an uncompressed tar file, or is damaged ({one_line(error)})"
            ) from None


def entries(archive: Archive) -> Iterator[Entry]:
    """Yield the entries of a tar file, except folders.

    Raises
    ------
    tarfile.ReadError
        If a header is damaged or impossible.
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
    # `tarfile` stops at a damaged header, as at the end, which is zeros or nothing.
    rest = pread(archive.descriptor, LOOKED_AT, tar.offset)
    if rest[: tarfile.BLOCKSIZE].strip(b"\0"):
        raise tarfile.ReadError(f"damaged at byte {tar.offset}")
    after = len(rest) - len(rest.lstrip(b"\0"))
    if rest[after + MAGIC :].startswith(b"ustar"):
        raise tarfile.ReadError(
            "another tar file follows its end; join them with tar --concatenate"
        )


def read_pieces(descriptor: int, size: int, pieces: Sequence[Piece]) -> bytes:
    """Read a file from an open tar file."""
    if len(pieces) == 1 and pieces[0].size == size:
        return pread(descriptor, size, pieces[0].offset)
    content = bytearray(size)
    for piece in pieces:
        part = pread(descriptor, piece.size, piece.offset)
        content[piece.start : piece.start + len(part)] = part
    return bytes(content)


def copy_entry(
    archive: Archive, entry: Entry, out: tarfile.TarFile, content: bytes | None = None
) -> None:
    """Write a file to another tar file, without holes, with a new header.

    The new header has only name, owner, mode and time of the old one. The rest describes the old
    tar file, or the target of a hard link. `content` replaces its bytes.
    """
    if content is not None:
        out.addfile(_fresh(entry._replace(size=len(content))), io.BytesIO(content))
        return
    try:
        out.addfile(_fresh(entry), archive.tar.extractfile(entry.header))
    except OSError as error:
        if error.errno is not None:  # of the new tar file, e.g. because the disk is full
            raise
        raise tarfile.ReadError(f"{entry.name} is cut short") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a FIFO."""
    return os.open(path, flags | READ)


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
    # GNU tar writes two names of a file with holes, and `tarfile` uses the second.
    name = header.pax_headers.get("GNU.sparse.name", header.name)
    if "\0" in name:
        raise tarfile.ReadError(f"{name!r} contains a NUL byte")
    if header.islnk():
        if header.linkname not in files:
            raise tarfile.ReadError(f"{name} is a link to a file that is not before it")
        return files[header.linkname]._replace(name=name)
    if not header.isreg():
        kind = "symbolic link" if header.issym() else "special file"
        return Entry(name, kind, 0, (), header)
    stored = header.size
    if header.sparse is not None:
        header.size, places = _places(header)
        # In the form that `tarfile` needs to read the content.
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
    """Return the size of a file with holes, and start and length of each run of data."""
    fields = [header.pax_headers.get(f"GNU.sparse.{name}") for name in ("realsize", "size")]
    places, last = [], 0
    try:
        size = next((int(field) for field in fields if field is not None), header.size)
        for start, length in header.sparse:
            if length == 0:  # the last run of a file that ends with a hole
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
        if "." in time:  # a float would round it
            fresh.pax_headers = {"mtime": time}
    return fresh
