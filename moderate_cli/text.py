"""Text that is safe to show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

FEW = 5  # names that are shown of a longer list
SHORT_LIST = 14  # names that fit in one line
NEAR = 0.75  # minimum ratio of difflib; below, guesses are too far off
# Name in an earlier version, or in other programs -> name here.
REPLACED = {"trimmed": "adaptive", "auto": "adaptive", "gpu": "cuda"}


def printable(text: str) -> str:
    r"""Escape control characters and undecodable bytes, so that text is safe on a terminal.

    >>> print(printable("a\x1b[2Jb.jpg"))
    a\x1b[2Jb.jpg
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def one_line(error: BaseException) -> str:
    r"""Return the message of an error in one line; its type if it has no message.

    >>> one_line(ValueError("torn\n  at byte 9")), one_line(MemoryError())
    ('torn at byte 9', 'MemoryError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def clipped(text: str, most: int = 100) -> str:
    """Shorten a text to at most `most` characters and "...".

    >>> clipped("a name"), clipped("a" * 5000, 5)
    ('a name', 'aaaaa...')
    """
    return text if len(text) <= most else f"{text[:most]}..."


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun; the plural adds "s", unless `more` is given.

    >>> counted(1, "class", "classes"), counted(2, "image")
    ('1 class', '2 images')
    """
    return f"{number} {one if number == 1 else more or one + 's'}"


def share_of(number: int, total: int) -> str:
    """Return a share in percent; all and nothing are said of nothing else.

    >>> share_of(231, 770), share_of(7, 360), share_of(999, 1000), share_of(1, 10**6)
    ('30 %', '1.9 %', 'over 99 %', 'under 0.1 %')
    """
    percent = 100 * number / total if total else 0.0
    if 99.5 <= percent < 100:
        return "over 99 %"
    if 0 < percent < 0.05:
        return "under 0.1 %"
    return f"{percent:.{1 if 0 < percent < 9.95 else 0}f} %"


def some(names: Sequence[str]) -> str:
    """Join the first few of many names, each clipped.

    >>> some(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d, e, ...'
    """
    shown = [clipped(name) for name in names[:FEW]]
    return ", ".join([*shown, "..."] if len(names) > FEW else shown)


def aligned(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> str:
    """Align the columns of a table: those in `left` to the left, the others to the right.

    >>> print(aligned(("class", "images"), [("cat", "12"), ("horse", "3")]), end="")
    class  images
    cat        12
    horse       3
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in (header, *rows)
    )


def named(facts: Iterable[tuple[str, str]]) -> str:
    """Align facts after their names, one per line.

    >>> print(named([("data", "photos"), ("features", "known")]), end="")
    data      photos
    features  known
    """
    pairs = list(facts)
    width = max((len(name) for name, _ in pairs), default=0) + 2
    return "".join(f"{name:{width}}{fact}\n" for name, fact in pairs)


def one_of(names: Sequence[str]) -> str:
    """Return names with "or" before the last one.

    >>> one_of([".txt", ".csv", ".npy"])
    '.txt, .csv or .npy'
    """
    return " or ".join([", ".join(names[:-1]), names[-1]])


def unknown(
    value: str, names: Collection[str], where: str = "", meant: Mapping[str, str] = REPLACED
) -> str:
    """Say that a name is unknown, and suggest others.

    Parameters
    ----------
    value
        The unknown name.
    names
        The known names. If there are many, only similar ones are suggested.
    where
        If there are many names, says where they are listed.
    meant
        Other names that people try -> the name that they mean.

    Examples
    --------
    >>> unknown("meen", ("mean", "median"))
    "'meen' is unknown; did you mean mean? Choose one of mean, median"
    >>> unknown("trimmed", ("random", "adaptive"))
    "'trimmed' is unknown; did you mean adaptive? Choose one of random, adaptive"
    >>> unknown("mode", ("mean", "median"))
    "'mode' is unknown; choose one of mean, median"
    """
    near = resembling(value, names, meant)
    advice = f"choose one of {', '.join(names)}" if len(names) <= SHORT_LIST else where
    if near:
        guess = f"did you mean {' or '.join(near)}?"
        advice = f"{guess} {advice[:1].upper()}{advice[1:]}".rstrip()
    return f"{clipped(value)!r} is unknown{'; ' if advice else ''}{advice}"


def resembling(
    value: str, names: Collection[str], meant: Mapping[str, str] = REPLACED
) -> list[str]:
    """Return the names that are like an unknown one, the most alike first.

    >>> resembling("trimed", ("random", "adaptive")), resembling("res_net18", ["resnet18"])
    (['adaptive'], ['resnet18'])
    """
    import difflib  # slow to load, and rarely needed

    names_of = {_plain(old): new for old, new in meant.items() if new in names}
    names_of |= {_plain(name): name for name in names}
    if (plain := _plain(value)) in names_of:
        return [names_of[plain]]
    near = difflib.get_close_matches(plain, names_of, n=3, cutoff=NEAR)
    return list(dict.fromkeys(names_of[one] for one in near))


def _plain(name: str) -> str:
    return clipped(name).lower().replace("-", "").replace("_", "").replace(" ", "")
