"""Store: feature sets on disk."""
