"""What the user sees: data on stdout; messages and progress on stderr."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from moderate_cli.text import printable

if TYPE_CHECKING:
    from tqdm import tqdm


class StdoutError(Exception):
    """Data could not be written to stdout."""


class StdoutClosed(Exception):
    """Nobody reads stdout any more. Not an OSError, for click would take it for its own."""


LINE_EVERY = 600.0  # seconds, for the log of a batch job


def open_closed() -> None:
    """Put something in the place of standard streams that the caller has closed, as `>&-` does.

    Else the next file that is opened would get the number of one of them, and what is meant for the
    user would go into it. What goes to stderr is lost; to write to stdout is an error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one. Of stdout only reading is allowed.
            mode = os.O_RDONLY if number == 1 else os.O_RDWR
            os.set_inheritable(os.open(os.devnull, mode), True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end


def note(message: str) -> None:
    """Write one line to stderr."""
    tell(f"moderate: {printable(message)}\n")


def tell(text: str) -> None:
    """Write to stderr; what cannot be written is lost, for the work goes on without."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # a full disk, or a pipe that nobody reads
        discard(sys.stderr)


def discard(stream: IO[str]) -> None:
    """What could not be written must not be tried again when the interpreter exits."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def flush() -> None:
    """Write what is left; Python would exit with status 120 where that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard(stream)


def write(content: bytes) -> None:
    """Write data to stdout; on a terminal, control characters are shown as escapes.

    Raises
    ------
    StdoutError
        If it cannot be written, as on a full disk.
    StdoutClosed
        If nobody reads it any more, as after `| head`.
    """
    if sys.stdout.isatty():
        content = b"\n".join(_shown(line) for line in content.split(b"\n"))
    try:
        sys.stdout.flush()
        # With PYTHONUNBUFFERED a write may take only part of what it is given.
        rest = memoryview(content)
        while rest:
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.buffer.flush()
    except OSError as error:
        raise unwritten(error) from None


def unwritten(error: OSError) -> StdoutError | StdoutClosed:
    """Return what an error of writing to stdout stands for."""
    if isinstance(error, BrokenPipeError):
        return StdoutClosed()
    if error.errno == errno.EBADF:
        return StdoutError("stdout: is closed; send it to a file, or to /dev/null")
    return StdoutError(f"stdout: {error.strerror}")


def _shown(line: bytes) -> bytes:
    cells = line.decode(errors="surrogateescape").split("\t")
    return "\t".join(map(printable, cells)).encode()


def can_show(text: str) -> bool:
    """Whether the encoding of stdout has all of these characters."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def width() -> int:
    """Columns of the terminal: what COLUMNS says, or the terminal itself, or else 80."""
    return shutil.get_terminal_size().columns


def count(number: int, one: str, more: str) -> str:
    """Return a number with its noun.

    >>> count(1, "class", "classes"), count(2, "class", "classes")
    ('1 class', '2 classes')
    """
    return f"{number} {one if number == 1 else more}"


def some(names: Sequence[str]) -> str:
    """Return the first few of many names."""
    return ", ".join([*names[:5], "..."] if len(names) > 5 else names)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Align columns, the first to the left, the others to the right.

    >>> print(table(("class", "images"), [("cat", "12"), ("horse", "3")]), end="")
    class  images
    cat        12
    horse       3
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in (header, *rows)
    )


def facts(lines: Mapping[str, object]) -> str:
    """Align names and what is said of them.

    >>> print(facts({"rows": 12, "dim": "1280"}), end="")
    rows  12
    dim   1280
    """
    width = max(map(len, lines)) + 2
    return "".join(f"{name:{width}}{fact}\n" for name, fact in lines.items())


def size(number: int) -> str:
    """Return a number of bytes in megabytes, or gigabytes.

    >>> size(8_150_000), size(3_400_000_000)
    ('8.2 MB', '3.4 GB')
    """
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Return a time in the two largest units that it fills.

    >>> duration(7.4), duration(131), duration(8650), duration(200_000)
    ('7 s', '2 min 11 s', '2 h 24 min', '2 d 7 h')
    """
    whole = round(seconds)
    for large, small, size, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60)):
        if whole >= size:
            return f"{whole // size} {large} {whole % size // part} {small}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


@contextlib.contextmanager
def progress(
    what: str, unit: str = "img", delay: float = 0
) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, or now and then a line if it is no terminal; yields what moves it.

    Of what ends before `delay`, in seconds, no bar is shown.
    """
    from tqdm import tqdm

    bar: tqdm[Any] | None = None
    told = time.monotonic()

    def move(done: int, total: int) -> None:
        nonlocal bar, told
        if not sys.stderr.isatty() and time.monotonic() - told >= LINE_EVERY:
            told = time.monotonic()
            note(f"{what}: {done} of {total}")
        if bar is None:
            bar = tqdm(
                total=total,
                initial=done,
                desc=f"moderate: {what}",
                unit=unit,
                disable=None,
                delay=delay,
            )
        else:
            bar.update(done - bar.n)
        if done == total:  # what comes next may have a bar of its own
            bar.close()
            bar = None

    try:
        yield move
    finally:
        if bar is not None:
            bar.close()
