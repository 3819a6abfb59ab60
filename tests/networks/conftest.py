"""Caches of weights that tests may fill."""

import os

import pytest


@pytest.fixture
def weights_caches(tmp_path, monkeypatch):
    """A folder with the caches "torch" and "hf" of weights, both empty."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", os.fspath(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", os.fspath(tmp_path / "torch"))
    return tmp_path
