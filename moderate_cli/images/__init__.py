"""Images: bytes of a file -> pixels."""
