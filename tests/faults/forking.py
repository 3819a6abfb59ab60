"""Processes forked from a server that has loaded torch, so that one takes a tenth of a second."""

import multiprocessing

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(
    ["moderate_cli.cli.select", "moderate_cli.embedding.engines.batches"]
)
