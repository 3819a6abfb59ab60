"""The manifest of a feature set: what its features are, and sums of what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, RULE, FeatureSpec, Preprocessing

FORMAT = 3
# What a set of format 2 does not say: the first rule, and the limit of the image library.
OLDEST = {2: {"pixels": 1, "max_pixels": 178_956_970}}


@dataclass(frozen=True)
class Manifest:
    """What the features of a set are.

    Attributes
    ----------
    spec
        What was asked for.
    weights, weights_sha256
        Where the backbone's weights came from; the digest is empty if it is not known.
    runtime
        What ran the backbone.
    preprocessing
        How images became the backbone's input.
    rows, dim
        Shape of the feature matrix.
    classes
        Class names by index.
    pixels
        Number of the rule that made the pixels, as in `moderate_cli.images.pixels`.
    max_pixels
        An image of more was not read.
    sums
        Name -> BLAKE2b, as hexadecimal digits, of the files that are read whole; none of a set
        that is not complete.
    format
        Of the set on disk.
    """

    spec: FeatureSpec
    weights: str
    weights_sha256: str
    runtime: str
    preprocessing: Preprocessing
    rows: int
    dim: int
    classes: tuple[str, ...]
    pixels: int = RULE
    max_pixels: int = DEFAULT_MAX_PIXELS
    sums: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def is_newest(self) -> bool:
        """Whether a set of today would be of this format, its pixels made by this rule."""
        return (self.format, self.pixels) == (FORMAT, RULE)

    @property
    def identity(self) -> bytes:
        """What files beside a complete set are bound to: a sum of the sums of all that it holds."""
        return content_digest(self.to_json())

    def to_json(self) -> bytes:
        """Serialise, with a sum of it all; names that are not valid UTF-8 come back unchanged."""
        fields = {"format": self.format, **asdict(self)}
        for name in OLDEST.get(self.format, ()):
            del fields[name]
        fields["blake2b"] = content_digest(json.dumps(fields).encode("ascii")).hex()
        return (json.dumps(fields, indent=2) + "\n").encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read what `to_json` wrote, now or in an older format.

        Raises
        ------
        ValueError
            If it is anything else.
        """
        fields: dict[str, Any] = json.loads(content)
        number = fields.get("format") if isinstance(fields, dict) else None
        if not isinstance(number, int) or number not in (FORMAT, *OLDEST):
            raise ValueError(f"is not of format {FORMAT}")
        fields.pop("blake2b", None)
        try:
            levels = fields["preprocessing"]
            for key in ("mean", "std"):
                levels[key] = tuple(levels[key])
            fields |= {
                "spec": FeatureSpec(**fields["spec"]),
                "preprocessing": Preprocessing(**levels),
                "classes": tuple(fields["classes"]),
                **OLDEST.get(number, {}),
            }
            manifest = cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(str(error)) from None
        if manifest.to_json() != content:
            raise ValueError("was changed since it was written")
        return manifest
