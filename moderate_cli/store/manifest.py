"""The manifest of a feature set: how its features were made, and sums of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, IGNORE, RULE, FeatureSpec, Preprocessing

FORMAT = 3
# Fields missing in format 2: its pixels are by the first rule, with the limit of the image library.
OLDEST = {2: {"pixels": 1, "max_pixels": 178_956_970}}


@dataclass(frozen=True)
class Manifest:
    """How the features of a set were made.

    Attributes
    ----------
    spec
        The options that determine features.
    weights, weights_sha256
        Source of the backbone's weights; the digest is empty if unknown.
    runtime
        Library that ran the backbone.
    preprocessing
        How images became the backbone's input.
    rows, dim
        Shape of the feature matrix.
    classes
        Class names by index.
    pixels
        Number of the rule that made the pixels, as in `moderate_cli.images.pixels`.
    max_pixels
        Images with more pixels were not read.
    sums
        Name -> BLAKE2b in hexadecimal digits, of the files that are read completely; empty until
        the set is complete.
    format
        Format of the set on disk.
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
        """Whether this is the current format, and the current rule for pixels."""
        return (self.format, self.pixels) == (FORMAT, RULE)

    @property
    def identity(self) -> bytes:
        """A sum over the sums of all files in a complete set; results are bound to it."""
        return content_digest(self.to_json())

    def same_features(self, other: Manifest) -> bool:
        """Whether both give the same features for the same image."""
        return (self.spec, self.weights, self.weights_sha256, self.preprocessing, self.dim) == (
            other.spec,
            other.weights,
            other.weights_sha256,
            other.preprocessing,
            other.dim,
        )

    def to_json(self) -> bytes:
        """Serialize with a sum; names that are not valid UTF-8 are preserved."""
        fields = {"format": self.format, **asdict(self)}
        fields["preprocessing"] = self.preprocessing.facts()
        if self.spec.orientation == IGNORE:  # sets of earlier versions lack it
            del fields["spec"]["orientation"]
        for name in OLDEST.get(self.format, ()):
            del fields[name]
        fields["blake2b"] = content_digest(json.dumps(fields).encode("ascii")).hex()
        return (json.dumps(fields, indent=2) + "\n").encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read the output of `to_json`, in this format or an older one.

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
