"""File systems of fsspec, such as S3, Google Cloud Storage, or the hub of Hugging Face."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from moderate_cli.dataset.sources import Stat

# Fields that change with an object's content, the most reliable first.
MARKS = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "mtime", "updated", "created")
HUB = "hf"  # of Hugging Face
PROTOCOLS = ("s3", "s3a", "gs", "gcs", HUB)  # of the extra `remote`


@functools.cache
def file_system(protocol: str) -> Any:
    """Return the file system of a protocol."""
    import fsspec

    # For public buckets it would log, for each image, that there are no credentials.
    logging.getLogger("gcsfs").setLevel(logging.ERROR)
    return fsspec.filesystem(protocol, use_listings_cache=False)


def stat_of(info: Mapping[str, Any]) -> Stat:
    """Return the stat of an object: its size, and a hash of the first of `MARKS` that it has."""
    mark = next((str(info[key]) for key in MARKS if info.get(key) is not None), "")
    digest = hashlib.blake2b(mark.encode(), digest_size=7).digest()
    return (int(info["size"]), int.from_bytes(digest, "big"), 0, 0)
