"""Files of weights on the Hugging Face Hub and on other servers, each downloaded once.

The libraries that know these files would try for most of a minute to reach a server, and tell of
each attempt; here, a file that is kept needs no network, and a network that is missing is found out
at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from moderate_cli.errors import WeightsError
from moderate_cli.text import clipped, one_line

PATIENCE = 5.0  # seconds, to reach a server


def hub_file(name: str, repository: str, files: Sequence[str], *, load: bool = True) -> Path | None:
    """Return one of several files of a repository; the first one that it has.

    Parameters
    ----------
    name
        Name of the backbone, for errors.
    repository, files
        Such as "timm/resnet18.a1_in1k" and ("model.safetensors", "pytorch_model.bin").
    load
        Whether to download it; if not, returns None for a file that is not kept yet.

    Raises
    ------
    WeightsError
        If it cannot be downloaded.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for file in files:
        kept = try_to_load_from_cache(repository, file)
        if isinstance(kept, str):
            return Path(kept)
    if not load:
        return None
    server = constants.ENDPOINT
    with _explained(name, f"{server}/{repository}/resolve/main/{files[0]}"):
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        _reach(server)
        for file in files:
            with contextlib.suppress(EntryNotFoundError):
                try:
                    return Path(hf_hub_download(repository, file))
                except LocalEntryNotFoundError as error:  # of a server that does not answer
                    raise OSError(one_line(error.__cause__ or error)) from None
        raise OSError(f"has no {' or '.join(files)}")


def url_file(name: str, url: str, *, load: bool = True, hashed: bool = False) -> Path | None:
    """Return the file of a URL; arguments and errors as of `hub_file`.

    `hashed` says that its name ends in the first digits of its SHA-256, which are then compared.
    """
    kept = Path(torch.hub.get_dir(), "checkpoints", os.path.basename(urlsplit(url).path))
    if kept.exists():
        return kept
    if not load:
        return None
    with _explained(name, url):
        _reach(url)
        kept.parent.mkdir(parents=True, exist_ok=True)
        digits = kept.stem.rpartition("-")[2] if hashed else None
        torch.hub.download_url_to_file(url, os.fspath(kept), digits, progress=False)
    return kept


def _reach(url: str) -> None:
    """Raise OSError if a server cannot be reached."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme in getproxies() or "all" in getproxies():
        return  # a proxy may know it
    port = parts.port or (80 if parts.scheme == "http" else 443)
    socket.create_connection((parts.hostname, port), PATIENCE).close()


@contextlib.contextmanager
def _explained(name: str, url: str) -> Iterator[None]:
    """Turn any failure of a download into one line.

    Raises
    ------
    WeightsError
        With the URL of the file.
    """
    try:
        with quietly():
            yield
    # Of a library, of its client of HTTP, or of the system.
    except Exception as error:
        told = getattr(error, "strerror", None) or one_line(error)
        raise WeightsError(
            f"{name}: its weights cannot be downloaded ({clipped(told)}); download {url} elsewhere,"
            " and pass it as --weights FILE"
        ) from None


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Silence the warnings and the log of the libraries; their errors are raised."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
