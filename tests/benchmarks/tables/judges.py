"""Judges: the classifiers that are trained on each selection."""

from __future__ import annotations

from moderate_cli.evaluation.recipe import SMALL, Recipe

HEAD, PATCHES, NETWORK = "head", "patches", "network"
JUDGES = {
    HEAD: "a linear probe on the features that the selection used",
    PATCHES: "ridge regression on random patches of the pictures, from scratch",
    SMALL: "a small network, from scratch",
    "resnet18": "ResNet-18, from scratch",
}
# ResNet halves pictures twice before its first block, so those of 32 pixels are enlarged.
RECIPES = {
    SMALL: Recipe(SMALL, 1000, 32, device="cpu"),
    "resnet18": Recipe("resnet18", 3000, 64, device="cuda"),
}
# A network takes 10 to 20 s a cell.
NETWORK_DATA = ("cifar100",)
NETWORK_SCENARIOS = ("clean", "symmetric-20")
NETWORK_RATIOS = ("0.1", "0.2")
