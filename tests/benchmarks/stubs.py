"""Readers of images that do nothing, or only take time; workers load them by name."""

import time

import torch

from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.images.gpu_files import File
from moderate_cli.images.preprocessing import ReadImage

SECONDS = 0.014  # of a photo of 500 x 375, four times: 16 workers must not need more than two cores
PIXELS = torch.zeros(224, 224, 3, dtype=torch.uint8).permute(2, 0, 1)

CONTENT, AREA = bytes(100_000), 450 * 380  # bytes and pixels of a photo


def blank(path, preprocessing, *_how):
    """Read nothing."""
    side = preprocessing.crop
    pixels = PIXELS[:, :side, :side]
    return ReadImage(pixels, "", (1, 2, 3, 4), bytes(DIGEST_SIZE), 0.0, 0.0)


def file(*_how):
    """Read no file, for a GPU to decode."""
    return File(ReadImage(None, "", (1, 2, 3, 4), bytes(DIGEST_SIZE), 0.0, 0.0, 1), CONTENT, AREA)


def sleeping(*how):
    """Read nothing, and take the time of a large photo."""
    time.sleep(SECONDS)
    return blank(*how)
