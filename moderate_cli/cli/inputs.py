"""Options that name inputs -> keywords of the library's functions."""

from __future__ import annotations

from typing import Any

from moderate_cli.cli import precedence


def inputs_from(
    *,
    data: str | None,
    features_files: tuple[str, ...] = (),
    labels_file: str | None = None,
    scores_file: str | None = None,
    backbones: tuple[str, ...],
    **embedding: Any,
) -> dict[str, Any]:
    """Return keywords; refuse options on the command line that have no effect on these inputs."""
    named: dict[str, Any] = {"data": data}
    named |= {"labels": labels_file} if labels_file is not None else {}
    computing = {"backbones", *embedding}
    if data is not None or not (scores_file or features_files):
        named |= {"backbone": backbones, **embedding}
    if scores_file is not None:
        named["scores"] = scores_file
        precedence.refuse_beside("--scores", {"criterion", "center", "metric", *computing})
    if features_files:
        named["features"] = features_files
        precedence.refuse_beside("--features", computing)
    return named
