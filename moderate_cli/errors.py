"""Errors in one line: the thing, the fact and the next step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from moderate_cli.text import unknown

LAST_SEED = 2**32 - 1  # every generator takes it, and the seeds that are counted up from it


class ModerateError(Exception):
    """Base class of all errors that this package raises on purpose.

    Examples
    --------
    >>> from moderate_cli import scan
    >>> try:
    ...     scan("data/trian")
    ... except ModerateError as error:
    ...     print(error)
    data/trian: No such file or directory; did you mean data/train?
    """


class ArgumentError(ModerateError, ValueError):
    """Arguments that are out of range, or exclude each other."""


class OptionError(ArgumentError):
    """Options that exclude each other, or do not fit the inputs.

    The command line spells options differently, so the text has a `{}` for each.

    Parameters
    ----------
    text
        The message, with a `{}` for each option.
    options
        The name of each option, or its name and value.

    Examples
    --------
    >>> str(OptionError("use {} or {}, not both", ("balance", "sqrt"), "scope"))
    "use balance='sqrt' or scope, not both"
    """

    def __init__(self, text: str, *options: str | tuple[str, object]) -> None:
        self._text = text
        self._options = [one if isinstance(one, tuple) else (one, None) for one in options]
        super().__init__(self.spelled(_as_keyword))

    def spelled(self, spell: Callable[[str, object], str]) -> str:
        """Return the message; `spell` formats the name and value (or None) of an option."""
        return self._text.format(*(spell(*option) for option in self._options))

    def name_sources(self, source: Callable[[str], str]) -> None:
        """Add to each value where it was set; `source` returns that by the option's name, or ""."""
        told = ["" if value is None else source(name) for name, value in self._options]
        told = [f" ({one})".replace("{", "{{").replace("}", "}}") if one else "" for one in told]
        self._text = self._text.format(*("{}" + one for one in told))


def _as_keyword(name: str, value: object) -> str:
    return name if value is None else f"{name}={value!r}"


def check_choice(option: str, value: str, names: Collection[str], where: str = "") -> None:
    """Refuse a value that is not one of `names`.

    Raises
    ------
    ArgumentError
        With the option, and similar names.
    """
    if not isinstance(value, str) or value not in names:
        raise ArgumentError(f"{option}: {unknown(str(value), names, where)}")


def check_whole(option: str, value: object) -> None:
    """Refuse a value that is not a whole number.

    Raises
    ------
    ArgumentError
        With the name of the option.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{option}: {value!r} is not a whole number")


def check_seed(value: object) -> None:
    """Refuse a seed that not every generator takes.

    Raises
    ------
    ArgumentError
        With the seed.
    """
    check_whole("seed", value)
    if not 0 <= int(value) <= LAST_SEED:  # type: ignore[call-overload]  # it has __index__
        raise ArgumentError(f"seed: {value} is not in [0, {LAST_SEED}]")


class DatasetError(ModerateError):
    """A dataset folder that cannot be used as an ImageFolder."""


class WeightsError(ModerateError):
    """Weights that are not available, or do not fit the backbone."""


class DeviceError(ModerateError):
    """A device that failed, or is out of memory."""


class TrainingError(ModerateError):
    """A network that knows nothing after its training."""


class ClusterError(ModerateError):
    """A cluster that cannot be reached, or failed."""


class StoreError(ModerateError):
    """A feature set on disk that cannot be read or written."""


class DamagedError(StoreError):
    """A feature set whose files changed since they were written."""


class ArrayError(ModerateError):
    """A user's array file that cannot be used."""


class OutputError(ModerateError):
    """An output that must not be, or cannot be, written."""


class UnreadableImages(ModerateError):
    """Images that cannot be decoded.

    Parameters
    ----------
    reasons
        Path of each image, as shown to the user -> the reason.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        count = len(self.reasons)
        noun, them = ("image", "it") if count == 1 else ("images", "them")
        super().__init__(f"{count} unreadable {noun}; --on-error skip leaves {them} out")
