"""The examples in docstrings hold."""

import doctest
import importlib
import pkgutil

import pytest

import moderate_cli

MODULES = [
    module.name
    for module in pkgutil.walk_packages(moderate_cli.__path__, "moderate_cli.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
