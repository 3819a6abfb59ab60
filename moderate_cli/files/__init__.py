"""Files: read and write them so that nothing is lost."""
