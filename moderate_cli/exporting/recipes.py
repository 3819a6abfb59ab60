"""Recipes: how a selection was made, in `kept.json`, so that others can check and repeat it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from moderate_cli.arrays import Digests
from moderate_cli.errors import ArgumentError
from moderate_cli.files.near import near_or
from moderate_cli.files.regular import read_regular
from moderate_cli.text import one_line


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a selection was made.

    Attributes
    ----------
    facts
        Version, options, features and dataset, as JSON has them.
    digests
        uint8 (n, 16), BLAKE2b of the bytes of each image.
    """

    facts: Mapping[str, Any]
    digests: Digests


class KeptImage(NamedTuple):
    """A kept image in a `kept.json`: path, class, and BLAKE2b in hexadecimal digits, or "".

    The class is that of the dataset, before labels were corrected.
    """

    path: str
    class_name: str
    digest: str


class Published(NamedTuple):
    """The contents of a `kept.json`.

    Attributes
    ----------
    images
        The kept images.
    of
        Number of images of the dataset.
    facts
        The facts of the recipe; empty without one.
    """

    images: list[KeptImage]
    of: int
    facts: Mapping[str, Any]

    @property
    def options(self) -> Mapping[str, Any]:
        """The options, as a config file has them."""
        return dict(self.facts.get("options", {}))

    def causes(self, now: Mapping[str, Any]) -> list[str]:
        """Say what differs from the facts of another recipe: why it may keep other images."""
        ours, theirs = now["dataset"], self.facts["dataset"]
        found = []
        if ours["images"] != theirs["images"]:
            found.append(f"the dataset has {ours['images']} images, not {theirs['images']}")
        elif ours["blake2b"] != theirs["blake2b"]:
            found.append("images of the dataset differ")
        if now.get("corrections") != self.facts.get("corrections"):
            file = self.facts.get("corrections", {}).get("file")
            found.append(
                f"its labels were corrected (pass --labels {file})" if file else "labels differ"
            )
        if now["weights"] != self.facts["weights"]:
            found.append(f"weights of {' and '.join(now['weights'])} differ")
        if now["moderate"] != self.facts["moderate"]:
            found.append(f"it was made by version {self.facts['moderate']}")
        if "kept_from" in self.facts and now.get("kept_from") != self.facts["kept_from"]:
            found.append("it keeps images of an earlier selection, which --keep-from names")
        return found


def read_published(path: str | os.PathLike[str]) -> Published:
    """Read a `kept.json`.

    Raises
    ------
    ArgumentError
        If it cannot be read, or is another file.
    """
    shown = os.fspath(path)
    try:
        content = json.loads(read_regular(shown))
        images = [
            KeptImage(
                str(one["path"]),
                str(one.get("given", one["class"])),
                str(one.get("blake2b", "")),
            )
            for one in content["images"]
        ]
        paths = {os.fsencode(one.path) for one in images}
        if not len(images) == len(paths) == content["kept"]:
            raise ValueError(content["kept"])
        facts = dict(content.get("recipe", {}))
        if facts and not (isinstance(facts["options"], dict) and facts["dataset"]["images"] > 0):
            raise ValueError(facts)
        return Published(images, int(content["of"]), facts)
    except OSError as error:
        advice = near_or(shown, "name a kept.json")
        raise ArgumentError(f"{shown}: {error.strerror or one_line(error)}; {advice}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ArgumentError(
            f"{shown}: is not a list of kept images that -o kept.json wrote"
        ) from None
