"""Errors that a user can act on: one line that names the thing, the fact and the next step."""

from __future__ import annotations

from collections.abc import Mapping


class ModerateError(Exception):
    """Base of every error that this package raises on purpose."""


class ArgumentError(ModerateError, ValueError):
    """Arguments that are out of range, or cannot go together."""


class DatasetError(ModerateError):
    """A dataset folder that cannot be used as an ImageFolder."""


class WeightsError(ModerateError):
    """Backbone weights that cannot be had, or do not fit the backbone."""


class DeviceError(ModerateError):
    """A device that cannot do what is asked of it."""


class ClusterError(ModerateError):
    """A cluster that cannot be reached, or cannot do what is asked of it."""


class StoreError(ModerateError):
    """A feature set on disk that cannot be read or written."""


class DamagedError(StoreError):
    """A feature set whose files are not what was written."""


class ArrayError(ModerateError):
    """A user's array file that cannot be used."""


class OutputError(ModerateError):
    """An output that must not, or cannot, be written."""


class UnreadableImages(ModerateError):
    """Images that cannot be decoded.

    Parameters
    ----------
    reasons
        Path as shown to the user -> why it cannot be read.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        count = len(self.reasons)
        noun, them = ("image", "it") if count == 1 else ("images", "them")
        super().__init__(f"{count} unreadable {noun}; --on-error skip leaves {them} out")
