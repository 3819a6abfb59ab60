"""Embedding: compute the features of a dataset, and keep them on disk."""

from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.lifecycle import bring_up_to_date
from moderate_cli.embedding.options import EmbedKeywords, EmbedOptions, FeatureKeywords

__all__ = ["Cluster", "EmbedKeywords", "EmbedOptions", "FeatureKeywords", "bring_up_to_date"]
