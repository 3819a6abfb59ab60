"""Streams and events of a GPU; a processor works at once, so it has none."""

from __future__ import annotations

import contextlib

import torch

Stream = torch.cuda.Stream
Event = torch.cuda.Event


def new_stream(device: torch.device) -> Stream | None:
    """Return a new stream of a GPU; None for a processor."""
    return Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def working_in(stream: Stream | None) -> contextlib.AbstractContextManager[None]:
    """Work in a stream, within the context; None is the one that works now."""
    if stream is None:
        return contextlib.nullcontext()
    context: contextlib.AbstractContextManager[None] = torch.cuda.stream(stream)
    return context


def event_now(device: torch.device) -> Event | None:
    """Record an event, after all that the stream that works now was given; None for a processor.

    A thread that waits for it sleeps, and leaves Python's lock to others.
    """
    if device.type != "cuda":
        return None
    event = Event(blocking=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def let_wait(event: Event | None) -> None:
    """Let the stream that works now, on its GPU, wait for an event; this thread goes on."""
    if event is not None:
        event.wait(torch.cuda.current_stream(event.device))


def wait_for(event: Event | None) -> None:
    """Wait for an event."""
    if event is not None:
        event.synchronize()


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor from main memory to a device, in the stream that works now.

    By way of pinned memory, which torch keeps until the GPU has copied it: this thread does not
    wait for the stream.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
