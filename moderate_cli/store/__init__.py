"""Store: feature sets on disk, complete or unfinished."""

from moderate_cli.store.feature_store import FeatureStore, open_store

__all__ = ["FeatureStore", "open_store"]
