"""Embedding: compute the features of a dataset, and keep them on disk."""

from moderate_cli.embedding.options import EmbedKeywords, EmbedOptions, FeatureKeywords

__all__ = ["EmbedKeywords", "EmbedOptions", "FeatureKeywords"]
