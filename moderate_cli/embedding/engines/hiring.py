"""When images are read in processes; and their helper, started while torch is loaded here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.embedding.engines.slabs import HAS_SHARED
from moderate_cli.embedding.options import EmbedOptions
from moderate_cli.embedding.request import Request
from moderate_cli.gpu import may_have_gpu

# With fewer workers threads are as fast, unless they keep a GPU waiting; fewer images are read
# before processes have loaded torch. On macOS threads do it all: there a process that has loaded
# frameworks must not fork.
LEAST_WORKERS, LEAST_IMAGES = 4, 4096


def may_hire(options: EmbedOptions, *, on_gpu: bool) -> bool:
    """Whether processes read images, if there are enough of them."""
    many = on_gpu or options.threads >= LEAST_WORKERS
    return many and HAS_SHARED and bool(sys.executable)


@contextlib.contextmanager
def early_helper(request: Request) -> Iterator[Helper | None]:
    """Start the helper of a crew before torch is loaded here, if it will probably be needed.

    Both load torch at once, and workers are there when the first image is to be decoded.
    """
    on_gpu = request.options.device != "cpu" and may_have_gpu()
    helper = None
    if len(request.dataset) >= LEAST_IMAGES and may_hire(request.options, on_gpu=on_gpu):
        with contextlib.suppress(OSError):
            helper = Helper()
    try:
        yield helper
    finally:
        if helper is not None:
            helper.close()
