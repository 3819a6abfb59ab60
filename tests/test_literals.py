"""The types of options have the names that there are."""

import inspect
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

import moderate_cli
from moderate_cli import literals
from moderate_cli.api.evaluate import EVALUATORS
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.embedding.options import ON_ERROR
from moderate_cli.exporting import LINKS
from moderate_cli.networks.table import DECODES, DTYPES, ORIENTATIONS, PRECISIONS, RUNTIMES
from moderate_cli.perturbation import ATTACKS
from moderate_cli.scoring import CENTERS, CRITERIA, METRICS
from moderate_cli.selection import STRATEGIES, Choice, ChoiceKeywords
from moderate_cli.selection.choice import SCOPES
from moderate_cli.selection.counts import BALANCES

TABLES = {
    "StrategyName": STRATEGIES,
    "Criterion": CRITERIA,
    "Center": CENTERS,
    "Metric": METRICS,
    "Scope": SCOPES,
    "Balance": BALANCES,
    "Judge": EVALUATORS,
    "Link": LINKS,
    "Attack": ATTACKS,
    "Precision": PRECISIONS,
    "Dtype": DTYPES,
    "Decode": DECODES,
    "Check": CHECKS,
    "Orientation": ORIENTATIONS,
    "Runtime": RUNTIMES,
    "OnError": ON_ERROR,
}


@pytest.mark.parametrize("name", TABLES)
def test_a_type_has_the_names_of_its_table(name):
    assert get_args(getattr(literals, name)) == tuple(TABLES[name])


def test_every_type_has_its_table():
    found = {name for name, one in vars(literals).items() if get_origin(one) is Literal}
    assert found - {"Literal"} == TABLES.keys()


@pytest.mark.parametrize("name", ["select", "score", "evaluate", "perturb", "export"])
def test_functions_name_the_choices_of_their_options(name):
    hints = inspect.get_annotations(getattr(moderate_cli, name), eval_str=True)
    options = {"scope", "criterion", "center", "metric", "balance", "link", "attack"}
    for option in options & hints.keys():
        assert hints[option] is not str, option


def test_options_have_the_types_of_their_keywords():
    assert get_type_hints(ChoiceKeywords) == get_type_hints(Choice)


def test_type_checkers_are_told_that_the_package_has_types():
    assert (Path(moderate_cli.__path__[0]) / "py.typed").is_file()
