"""Output of the command line: data on stdout; messages and progress on stderr."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import IO

import click

from moderate_cli.platforms import WINDOWS
from moderate_cli.text import printable


class StdoutError(Exception):
    """Data could not be written to stdout."""


class StdoutClosed(Exception):
    """Nobody reads stdout any more. Not an OSError, which click would handle itself."""


def _nothing() -> None:
    pass


aside: Callable[[], None] = _nothing  # called before each line: makes room for it


def open_closed() -> None:
    """Replace standard streams that the caller has closed, as `>&-` does.

    Otherwise the next opened file would get the number of one of them, and messages for the user
    would go into that file. Text for stderr is lost; writing to stdout is an error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # This is the lowest free number. From stdout one can only read.
            mode = os.O_RDONLY if number == 1 else os.O_RDWR
            os.set_inheritable(os.open(os.devnull, mode), True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end


def note(message: str, *, word: str = "", color: str = "") -> None:
    """Write one line to stderr, after a word that says its kind."""
    aside()
    kind = fit_for(sys.stderr, click.style(f"{word}: ", fg=color, bold=True)) if word else ""
    tell(f"moderate: {kind}{printable(message)}\n")


def error(message: str) -> None:
    """Write why the command failed."""
    note(message, word="error", color="red")


def say_interrupted(message: str = "") -> None:
    """Say what is kept of the work that the user stops; in general, unless that was said."""
    global _interrupted
    if message or not _interrupted:
        note(message or f"interrupted; {KEPT}; run again to continue")
    _interrupted = True


KEPT = "finished features and results are kept"
_interrupted = False


def warn(message: str) -> None:
    """Write a fact that the user should check."""
    note(message, word="warning", color="yellow")


def hint(message: str) -> None:
    """Write advice."""
    note(message, word="hint", color="cyan")


def colored(stream: IO[str]) -> bool:
    """Whether a stream shows color, and the user has not refused it (https://no-color.org)."""
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not refused


def fit_for(stream: IO[str], text: str) -> str:
    """Remove the color of a text unless the stream shows it."""
    return text if colored(stream) else click.unstyle(text)


def tell(text: str) -> None:
    """Write to stderr; text that cannot be written is lost, and the work goes on."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # a full disk, or a pipe that nobody reads
        discard(sys.stderr)


def discard(stream: IO[str]) -> None:
    """Keep the interpreter from trying to write the rest of a stream when it exits."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def flush() -> None:
    """Write the rest; where that fails, Python itself would exit with status 120."""
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
    if on_terminal():
        content = b"\n".join(_shown(line) for line in content.split(b"\n"))
    _write(content)


def show(text: str) -> None:
    """Write text of ours to stdout, with its color if stdout shows it."""
    _write(fit_for(sys.stdout, text).encode())


def _write(content: bytes) -> None:
    try:
        sys.stdout.flush()
        # With PYTHONUNBUFFERED a write may take only part of the content.
        rest = memoryview(content)
        while rest:
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.buffer.flush()
    except OSError as error:
        raise unwritten(error) from None


def unwritten(error: OSError) -> StdoutError | StdoutClosed:
    """Return the error to raise for an OSError of writing to stdout."""
    if isinstance(error, BrokenPipeError) or (WINDOWS and error.errno == errno.EINVAL):
        return StdoutClosed()
    if error.errno == errno.EBADF:
        return StdoutError("stdout: is closed; send it to a file, or to /dev/null")
    return StdoutError(f"stdout: {error.strerror}")


def _shown(line: bytes) -> bytes:
    cells = line.decode(errors="surrogateescape").split("\t")
    return "\t".join(map(printable, cells)).encode()


def on_terminal() -> bool:
    """Whether data goes to a terminal."""
    return sys.stdout.isatty()


def can_show(text: str) -> bool:
    """Whether the encoding of stdout has all of these characters."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def width() -> int:
    """Return the columns of the terminal, as COLUMNS or the terminal says, or else 80."""
    return shutil.get_terminal_size().columns


def facts(lines: Mapping[str, object]) -> str:
    """Align names and their facts.

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
    """Return a time in its two largest units.

    >>> duration(7.4), duration(131), duration(8650), duration(200_000)
    ('7 s', '2 min 11 s', '2 h 24 min', '2 d 7 h')
    """
    whole = round(seconds)
    for large, small, size, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60)):
        if whole >= size:
            return f"{whole // size} {large} {whole % size // part} {small}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
