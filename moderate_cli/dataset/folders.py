"""A dataset folder with one sub-folder per class, listed as torchvision's ImageFolder lists it.

A folder of images without sub-folders is a dataset of one class. Notices name the differences from
ImageFolder.
"""

from __future__ import annotations

import os

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.entries import entries_of
from moderate_cli.dataset.image_formats import HEAD, format_of, readable_extensions
from moderate_cli.dataset.listing import listing
from moderate_cli.dataset.lists import SUFFIXES
from moderate_cli.dataset.names import TAR
from moderate_cli.dataset.notices import Survey
from moderate_cli.dataset.walk import Walk
from moderate_cli.errors import DatasetError
from moderate_cli.files.near import near_or
from moderate_cli.files.places import place
from moderate_cli.files.regular import open_regular
from moderate_cli.text import one_of


def scan_folder(root: str) -> Dataset:
    """List the images below a folder; see `moderate_cli.scan`."""
    top = os.fspath(place(root))
    survey = Survey(readable_extensions(), lambda path: _sniffed(f"{top}/{path}"))
    try:
        here = entries_of(top, survey.extensions)
    except OSError as error:
        if os.path.isfile(top):
            kinds = one_of([*SUFFIXES, TAR])
            raise DatasetError(
                f"{root}: is not a dataset; name a folder, or a {kinds} file"
            ) from None
        advice = near_or(root, "name a dataset folder")
        raise DatasetError(f"{root}: {error.strerror}; {advice}") from None
    return listing(root, top, here, Walk(top, survey), survey)


def _sniffed(path: str) -> str:
    try:
        with open_regular(path) as file:
            return format_of(file.read(HEAD))
    except OSError:
        return ""
