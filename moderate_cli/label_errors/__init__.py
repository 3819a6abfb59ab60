"""Label errors: which labels are probably wrong."""
