"""Shrink an image dataset to the part that is worth training on.

The steps of the command line are functions here::

    dataset = scan("data/train")
    scores = score(embed(dataset))
    kept = select(scores, ratio=0.3)
    write_index("kept.txt", scores, kept)
    export(dataset, kept, "data/train-30")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moderate_cli.dataset import Dataset, scan
    from moderate_cli.derived import score
    from moderate_cli.embedding import embed, embed_part
    from moderate_cli.embedding.engines import Cluster
    from moderate_cli.embedding.estimate import Estimate, estimate
    from moderate_cli.errors import ModerateError
    from moderate_cli.exporting import export
    from moderate_cli.records import write_index, write_scores
    from moderate_cli.scoring import Scores, score_features
    from moderate_cli.selection import select
    from moderate_cli.store import FeatureStore, open_store
    from moderate_cli.suspects import Suspects, find_suspects

__all__ = [
    "Cluster",
    "Dataset",
    "Estimate",
    "FeatureStore",
    "ModerateError",
    "Scores",
    "Suspects",
    "embed",
    "embed_part",
    "estimate",
    "export",
    "find_suspects",
    "open_store",
    "scan",
    "score",
    "score_features",
    "select",
    "write_index",
    "write_scores",
]

_MODULES = {
    "Cluster": "embedding.engines",
    "Dataset": "dataset",
    "Estimate": "embedding.estimate",
    "FeatureStore": "store",
    "ModerateError": "errors",
    "Scores": "scoring",
    "Suspects": "suspects",
    "embed": "embedding",
    "embed_part": "embedding",
    "estimate": "embedding.estimate",
    "export": "exporting",
    "find_suspects": "suspects",
    "open_store": "store",
    "scan": "dataset",
    "score": "derived",
    "score_features": "scoring",
    "select": "selection",
    "write_index": "records",
    "write_scores": "records",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `moderate --help` must not wait for numpy.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
