"""Which column of a table has images inside, and which their classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.dataset.columns import PATHS, find_columns
from moderate_cli.dataset.records import as_text
from moderate_cli.dataset.table_files import Array, Schema
from moderate_cli.errors import DatasetError
from moderate_cli.text import printable

BYTES = "bytes"  # the field of an image, beside "path", as Hugging Face has it
IMAGES = (*PATHS, "image_bytes", "img_bytes", "image_data", "images", "bytes", "jpg", "png", "webp")


class ImageColumns(NamedTuple):
    """Names of the columns of image and class; None if there are no classes.

    Attributes
    ----------
    names
        Class names of the numbers in the column of classes; empty if it has the names.
    """

    image: str
    label: str | None
    names: tuple[str, ...]


def image_column(schema: Schema, named: str | None = None) -> str | None:
    """Return the column that has the bytes of images; None if there is none.

    Parameters
    ----------
    schema
        Columns of a table, as pyarrow has them.
    named
        Name that the user gave; None for the column that Hugging Face says is one of images, then
        for one that looks like it.
    """
    inside = [field.name for field in schema if _has_bytes(field.type)]
    if named is not None:
        return named if named in inside else None
    features = _features(schema)
    said = [name for name in inside if _kind(features.get(name)) == "Image"]
    structs = [name for name in inside if _is_struct(schema.field(name).type)]
    usual = [name for name in inside if name.lower() in IMAGES]
    return next(iter([*said, *structs, *usual]), None)


def image_columns(schema: Schema, shown: str, image: str, label: str | None = None) -> ImageColumns:
    """Find the column of classes beside a column of images.

    Parameters
    ----------
    schema
        Columns of a table, as pyarrow has them.
    shown
        Name of the file in errors.
    image
        The column of images.
    label
        Name that the user gave; None for the usual names, then for the only column of Hugging Face
        with classes.

    Raises
    ------
    DatasetError
        If the column does not exist, or has several classes in a row.
    """
    from pyarrow import types

    features = _features(schema)
    flat = [field.name for field in schema if not types.is_nested(field.type)]
    classes = [name for name in flat if _kind(features.get(name)) == "ClassLabel"]
    if label is None:
        named = [image, *(classes if len(classes) == 1 else flat)]
        names = list(dict.fromkeys(named))
        at = find_columns(names, shown, path=image).label
        label = None if at is None else names[at]
    else:
        find_columns(schema.names, shown, path=image, label=label)
        if label not in flat:
            raise DatasetError(
                f"{shown}: column {printable(label)} has several values in a row; an image has one"
                " class here, so pass --features with --labels, or --scores"
            )
    return ImageColumns(image, label, tuple(class_names(schema).get(label or "", ())))


def several_labels(schema: Schema, image: str) -> str | None:
    """Return the name of a column with several values in a row, such as objects; None if none."""
    from pyarrow import types

    return next(
        (one.name for one in schema if one.name != image and types.is_nested(one.type)), None
    )


def class_names(schema: Schema) -> dict[str, list[str]]:
    """Return the class names that Hugging Face keeps for the numbers in a column."""
    features = _features(schema)
    return {
        name: list(map(str, kind["names"]))
        for name, kind in features.items()
        if _kind(kind) == "ClassLabel" and isinstance(kind.get("names"), list)
    }


def labels_of(cells: Array, names: tuple[str, ...] | list[str]) -> Iterator[str]:
    """Yield the class of each cell; "" if it has none, such as the number -1."""
    coded = cells.dictionary_encode()
    texts = [_class_of(value, names) for value in coded.dictionary.to_pylist()]
    numbers = coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    yield from np.array([*texts, ""], dtype=object)[numbers].tolist()


def _class_of(value: Any, names: tuple[str, ...] | list[str]) -> str:
    if names and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else ("" if value < 0 else str(value))
    return as_text(value)


def _features(schema: Schema) -> Mapping[str, Any]:
    """Return how Hugging Face describes the columns."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return found if isinstance(found, dict) else {}
    except (KeyError, ValueError, TypeError):
        return {}


def _kind(feature: Any) -> str:
    if not isinstance(feature, dict):
        return ""
    return str(feature.get("_type", "ClassLabel" if "names" in feature else ""))


def _has_bytes(kind: Any) -> bool:
    if _is_struct(kind):
        return kind.get_field_index(BYTES) >= 0 and _is_binary(kind.field(BYTES).type)
    return _is_binary(kind)


def _is_struct(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_struct(kind))


def _is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))
