"""Weights of classifiers that tests share."""

from __future__ import annotations

import torch
from torchvision import models


def checkpoint(tmp_path, name, classes=1000, **options):
    torch.manual_seed(0)
    path = tmp_path / f"{name}.pt"
    model = models.get_model(name, weights=None, num_classes=classes, **options)
    torch.save(model.state_dict(), path)
    return path, model.eval()
