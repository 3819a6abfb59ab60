"""What the user sees: data on stdout; messages and progress on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from moderate_cli.text import printable

if TYPE_CHECKING:
    from tqdm import tqdm


class StdoutError(Exception):
    """Data could not be written to stdout."""


class StdoutClosed(Exception):
    """Nobody reads stdout any more. Not an OSError, for click would take it for its own."""


def note(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"moderate: {printable(message)}\n")


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
    except BrokenPipeError:
        raise StdoutClosed from None
    except OSError as error:
        raise StdoutError(f"stdout: {error.strerror}") from None


def _shown(line: bytes) -> bytes:
    cells = line.decode(errors="surrogateescape").split("\t")
    return "\t".join(map(printable, cells)).encode()


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


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr if it is a terminal; yields the callback that moves it."""
    from tqdm import tqdm

    bar: tqdm[Any] | None = None

    def move(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(
                total=total, initial=done, desc=f"moderate: {what}", unit="img", disable=None
            )
        else:
            bar.update(done - bar.n)

    try:
        yield move
    finally:
        if bar is not None:
            bar.close()
