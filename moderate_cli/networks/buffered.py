"""A backbone on a GPU: batches of one shape, copied while others are computed.

Each batch under way has its own buffers, which a later one reuses: pages of main memory that are
pinned, so that the GPU copies them by itself, and memory of the GPU. A stream of its own copies
images to the GPU; nothing waits for a batch until its features are asked for.

It runs on a processor too, without streams and pinned memory, which tests make use of.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from moderate_cli.networks.streams import event_now, let_wait, new_stream, wait_for, working_in

TRIAL = 32  # images by which the memory for one is measured
# Batch sizes on a GPU. Of 256 to 1,024, the default backbone gains 11 %; with --decode gpu, also
# the photos are in the GPU's memory, so the activations may take a quarter of what is free.
LEAST, MOST, SHARE = 256, 1024, 4


def buffered_start(
    module: nn.Module, device: torch.device, batch_size: int
) -> Callable[[torch.Tensor], Callable[[], torch.Tensor]]:
    """Run a network on batches of `batch_size` images; smaller ones are filled with zeros.

    So features do not depend on the number of images in a batch. Images may be in main memory or in
    that of the device. If they are in pinned memory, they must not change before their features are
    there; other images may change as soon as the network has started on them.

    Parameters
    ----------
    module
        On that device, in channels-last order; maps uint8 (b, 3, h, w) to float32 (b, d).
    """
    copying = new_stream(device)
    free: list[_Buffers] = []

    @torch.inference_mode()
    def start(images: torch.Tensor) -> Callable[[], torch.Tensor]:
        count = len(images)
        buffers = free.pop() if free else _Buffers(device, batch_size)
        if images.is_cuda:  # the stream that works now has them
            pixels = buffers.filled(images)
        else:
            with working_in(copying):
                pixels = buffers.filled(buffers.pinned(images))
                copied = event_now(device)
            let_wait(copied)
        features = module(pixels.to(memory_format=torch.channels_last))
        output = buffers.output(features)
        computed = event_now(device)

        def finish() -> torch.Tensor:
            wait_for(computed)
            found = output[:count].clone()
            free.append(buffers)
            return found

        return finish

    return start


class _Buffers:
    """Memory of one batch under way: its images and features, here and on the device."""

    def __init__(self, device: torch.device, size: int) -> None:
        self._device, self._size = device, size
        self._here: torch.Tensor | None = None
        self._there: torch.Tensor | None = None
        self._images: torch.Tensor | None = None
        self._features: torch.Tensor | None = None

    def pinned(self, images: torch.Tensor) -> torch.Tensor:
        """Copy images to pinned memory, unless they are there already."""
        if images.is_pinned():
            return images
        if self._here is None:
            self._here = self._allocated_here(images)
        return self._here[: len(images)].copy_(images)

    def filled(self, images: torch.Tensor) -> torch.Tensor:
        """Copy images to the device, with zeros up to the size of a batch."""
        if images.is_cuda and len(images) == self._size:
            self._images = images  # of another stream, which else might take its memory back
            return images
        if self._there is None:
            self._there = _batch_like(images, self._size, self._device)
        self._there[: len(images)].copy_(images, non_blocking=True)
        self._there[len(images) :].zero_()
        return self._there

    def output(self, features: torch.Tensor) -> torch.Tensor:
        """Begin to copy features to main memory."""
        if self._features is None:
            self._features = self._allocated_here(features)
        return self._features.copy_(features, non_blocking=True)

    def _allocated_here(self, tensor: torch.Tensor) -> torch.Tensor:
        pinned = self._device.type == "cuda"
        return _batch_like(tensor, self._size, torch.device("cpu"), pinned=pinned)


def _batch_like(
    tensor: torch.Tensor, size: int, device: torch.device, *, pinned: bool = False
) -> torch.Tensor:
    """Allocate a batch in the order of bytes of another tensor, which makes copies plain ones."""
    channels_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.empty(
        (size, *tensor.shape[1:]),
        dtype=tensor.dtype,
        device=device,
        pin_memory=pinned,
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
    )


def find_batch_size(module: nn.Module, side: int, device: torch.device) -> int:
    """Return a batch size for a GPU, by the memory that a network takes for some images.

    Parameters
    ----------
    module
        As of `buffered_start`.
    side
        Height and width of its images.
    """
    free, _ = torch.cuda.mem_get_info(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    with torch.inference_mode():
        images = torch.zeros((TRIAL, 3, side, side), dtype=torch.uint8, device=device)
        module(images.to(memory_format=torch.channels_last))
    taken = torch.cuda.max_memory_allocated(device) - before
    return batch_size_within(free, taken / TRIAL)


def batch_size_within(free: float, image: float) -> int:
    """Return the batch size for so many free bytes, if an image takes so many.

    >>> [batch_size_within(free * 2**30, 7 * 2**20) for free in (8, 24, 80)]
    [256, 512, 1024]
    """
    size = MOST
    while size > LEAST and size * image > free / SHARE:
        size //= 2
    return size
