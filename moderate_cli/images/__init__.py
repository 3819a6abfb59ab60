"""Images: bytes of a file to pixels."""
