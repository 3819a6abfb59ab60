"""Shrink an image dataset to the part that is worth training on.

Each command of `moderate` is a function here, with the same options::

    selection = select("data/train", ratio=0.3, strategy="matching")
    write_index("kept.txt", selection.scores, selection.mask)
    export("data/train", selection.mask, "data/train-30")

Names are loaded on first use, so that `import moderate_cli` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from moderate_cli.version import __version__ as __version__

if TYPE_CHECKING:
    from moderate_cli.api.backbones import backbones
    from moderate_cli.api.duplicates import NearDuplicates, duplicates
    from moderate_cli.api.embed import embed, estimate
    from moderate_cli.api.evaluate import evaluate
    from moderate_cli.api.fit import estimate_fit, fit
    from moderate_cli.api.info import Info, info
    from moderate_cli.api.perturb import Perturbation, perturb
    from moderate_cli.api.report import report
    from moderate_cli.api.score import score
    from moderate_cli.api.select import select
    from moderate_cli.api.suggest import suggest
    from moderate_cli.api.suspects import LabelErrors, suspects
    from moderate_cli.api.verify import Verification, verify
    from moderate_cli.choosing import Selection
    from moderate_cli.dataset import Dataset, scan
    from moderate_cli.embedding import EmbedOptions
    from moderate_cli.embedding.cluster import Cluster
    from moderate_cli.embedding.estimate import Estimate
    from moderate_cli.errors import ModerateError
    from moderate_cli.evaluation import Comparison
    from moderate_cli.exporting import write_index, write_manifest, write_scores
    from moderate_cli.exporting.folders import export
    from moderate_cli.fitting.facts import Fit
    from moderate_cli.label_errors import Suspects, find_suspects
    from moderate_cli.listening import Listener
    from moderate_cli.notices import Notice
    from moderate_cli.presets import preset
    from moderate_cli.scoring import Scores, score_features
    from moderate_cli.selection import Choice, select_scores
    from moderate_cli.store import FeatureStore, open_store
    from moderate_cli.suggesting import Suggestion

__all__ = [
    "Choice",
    "Cluster",
    "Comparison",
    "Dataset",
    "EmbedOptions",
    "Estimate",
    "FeatureStore",
    "Fit",
    "Info",
    "LabelErrors",
    "Listener",
    "ModerateError",
    "NearDuplicates",
    "Notice",
    "Perturbation",
    "Scores",
    "Selection",
    "Suggestion",
    "Suspects",
    "Verification",
    "backbones",
    "duplicates",
    "embed",
    "estimate",
    "estimate_fit",
    "evaluate",
    "export",
    "find_suspects",
    "fit",
    "info",
    "open_store",
    "perturb",
    "preset",
    "report",
    "scan",
    "score",
    "score_features",
    "select",
    "select_scores",
    "suggest",
    "suspects",
    "verify",
    "write_index",
    "write_manifest",
    "write_scores",
]

_ROOMS = {
    "api.backbones": "backbones",
    "api.duplicates": "NearDuplicates duplicates",
    "api.embed": "embed estimate",
    "api.evaluate": "evaluate",
    "api.fit": "estimate_fit fit",
    "api.info": "Info info",
    "api.perturb": "Perturbation perturb",
    "api.report": "report",
    "api.score": "score",
    "api.select": "select",
    "api.suggest": "suggest",
    "api.suspects": "LabelErrors suspects",
    "api.verify": "Verification verify",
    "choosing": "Selection",
    "dataset": "Dataset scan",
    "embedding": "EmbedOptions",
    "embedding.cluster": "Cluster",
    "embedding.estimate": "Estimate",
    "errors": "ModerateError",
    "evaluation": "Comparison",
    "exporting": "write_index write_manifest write_scores",
    "exporting.folders": "export",
    "fitting.facts": "Fit",
    "label_errors": "Suspects find_suspects",
    "listening": "Listener",
    "notices": "Notice",
    "presets": "preset",
    "scoring": "Scores score_features",
    "selection": "Choice select_scores",
    "suggesting": "Suggestion",
    "store": "FeatureStore open_store",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
