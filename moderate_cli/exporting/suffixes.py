"""The suffix of an output file is its format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from moderate_cli.dataset.image_formats import HEAD, format_of
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.files.destinations import check_file
from moderate_cli.files.regular import open_regular
from moderate_cli.text import resembling

PICTURES = (".png", ".svg")  # formats of charts
Format = TypeVar("Format")


def check_output(destination: str | os.PathLike[str], formats: Mapping[str, Format]) -> Format:
    """Return the writer for a file name, before there is anything to write.

    Raises
    ------
    ArgumentError
        If the suffix is unknown.
    OutputError
        If its folder does not exist, or it would overwrite a picture with text or an array.
    """
    suffix = Path(destination).suffix.lower()
    if suffix not in formats:
        near = " or ".join(resembling(suffix, formats))
        use = f"did you mean {near}? Use" if near and suffix else "use"
        known = ", ".join(formats)
        raise ArgumentError(f"{os.fspath(destination)}: unknown suffix; {use} one of {known}")
    check_file(destination)
    if suffix not in PICTURES and os.path.isfile(destination):
        with open_regular(destination) as file:
            held = format_of(file.read(HEAD))
        if held:  # perhaps the name is a link to an image of a dataset
            raise OutputError(
                f"{os.fspath(destination)}: is a picture ({held}); choose another file"
            )
    return formats[suffix]
