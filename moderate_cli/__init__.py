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
    from moderate_cli.embedding import embed, embed_part
    from moderate_cli.embedding.cluster import Cluster
    from moderate_cli.embedding.estimate import Estimate, estimate
    from moderate_cli.errors import ModerateError
    from moderate_cli.exporting.folders import export
    from moderate_cli.exporting.records import write_index, write_scores
    from moderate_cli.label_errors.suspects import Suspects, find_suspects
    from moderate_cli.results import score
    from moderate_cli.scoring import Scores, score_features
    from moderate_cli.selection import select
    from moderate_cli.store.feature_store import FeatureStore, open_store

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
    "Cluster": "embedding.cluster",
    "Dataset": "dataset",
    "Estimate": "embedding.estimate",
    "FeatureStore": "store.feature_store",
    "ModerateError": "errors",
    "Scores": "scoring",
    "Suspects": "label_errors.suspects",
    "embed": "embedding",
    "embed_part": "embedding",
    "estimate": "embedding.estimate",
    "export": "exporting.folders",
    "find_suspects": "label_errors.suspects",
    "open_store": "store.feature_store",
    "scan": "dataset",
    "score": "results",
    "score_features": "scoring",
    "select": "selection",
    "write_index": "exporting.records",
    "write_scores": "exporting.records",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `moderate --help` must not wait for numpy.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
