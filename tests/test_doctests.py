"""The examples in docstrings hold, where data/train is the small dataset of the tests."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import moderate_cli

MODULES = [
    module.name
    for module in pkgutil.walk_packages(moderate_cli.__path__, "moderate_cli.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name, data, monkeypatch):
    monkeypatch.chdir(data.parents[1])
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0
