"""Arguments of the functions that the command line could not give."""

import os

import numpy as np
import pytest

import moderate_cli
import moderate_cli.results
from moderate_cli import ModerateError

FEATURES = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_per_class": 2.5}, "min_per_class: 2.5 is not a whole number"),
        ({"seed": 1.5}, "seed: 1.5 is not a whole number"),
        ({"count": True, "ratio": None}, "count: True is not a whole number"),
        ({"strategy": None}, "strategy: 'None' is unknown; choose one of "),
        ({"center": ["mean"]}, "center: \"['mean']\" is unknown; choose one of "),
    ],
)
def test_options_of_another_type_are_refused(embedded, options, message):
    with pytest.raises(ModerateError) as caught:
        moderate_cli.select(embedded, **{"ratio": 0.5, **options}, **FEATURES)
    assert str(caught.value).startswith(message)


SEEDED = {
    "select": lambda data, out, **how: moderate_cli.select(data, ratio=0.5, **how, **FEATURES),
    "score": lambda data, out, **how: moderate_cli.score(data, **how, **FEATURES),
    "evaluate": lambda data, out, **how: moderate_cli.evaluate(data, **how, **FEATURES),
    "report": lambda data, out, **how: moderate_cli.report(data, out / "r.html", **how, **FEATURES),
    "perturb": lambda data, out, **how: moderate_cli.perturb(data, out / "p", corrupt=0.5, **how),
    "fit": lambda data, out, **how: moderate_cli.fit(data, **how),
    "score_features": lambda data, out, **how: moderate_cli.score_features(
        np.eye(4), np.array([0, 0, 1, 1]), **how
    ),
    "select_scores": lambda data, out, **how: moderate_cli.select_scores(
        np.arange(4.0), ratio=0.5, **how
    ),
    "results.score": lambda data, out, **how: moderate_cli.results.score(
        moderate_cli.embed(data, **FEATURES), **how
    ),
}


@pytest.mark.parametrize("seed", [2**70, 2**32, -1])
@pytest.mark.parametrize("call", SEEDED.values(), ids=SEEDED)
def test_a_seed_that_no_generator_takes_is_refused_everywhere(embedded, tmp_path, call, seed):
    with pytest.raises(ModerateError) as caught:
        call(embedded, tmp_path, seed=seed)
    assert str(caught.value) == f"seed: {seed} is not in [0, 4294967295]"
    assert sorted(os.listdir(tmp_path)) == ["data"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"strategy": "adaptive", "center": "median"},
            "use strategy='adaptive' or center='median', not both",
        ),
        (
            {"criterion": "margin", "metric": "cosine"},
            "use criterion='margin' or metric='cosine', not both",
        ),
    ],
)
def test_a_center_or_a_metric_without_effect_is_refused(embedded, tmp_path, options, message):
    calls = [
        moderate_cli.select,
        lambda *args, **how: moderate_cli.report(args[0], "r.html", **how),
    ]
    if "strategy" not in options:
        calls.append(lambda data, ratio, **how: moderate_cli.score(data, **how))
    for call in calls:
        with pytest.raises(ModerateError) as caught:
            call(embedded, ratio=0.5, **options, **FEATURES)
        assert str(caught.value) == message


def test_a_center_has_an_effect_on_some_of_the_strategies_that_are_compared(embedded):
    moderate_cli.evaluate(
        embedded, ratio=[0.5], strategy=["adaptive", "easy"], center="median", seeds=1, **FEATURES
    )


def test_a_report_does_not_go_into_the_dataset_or_its_store(embedded, tmp_path):
    for page in (embedded / "cat" / "r.html", embedded.parent / "train.moderate" / "r.html"):
        with pytest.raises(ModerateError, match="is inside the"):
            moderate_cli.report(embedded, page, **FEATURES)
        assert not page.exists()
    with pytest.raises(ModerateError, match="is inside the dataset"):
        moderate_cli.report(embedded, tmp_path / "r.html", png=embedded / "plots", **FEATURES)
    assert not (embedded / "plots").exists()


def test_an_index_takes_masks_alone(embedded, tmp_path):
    found = moderate_cli.select(embedded, ratio=0.5, **FEATURES)
    for kept in (found.rows, found.mask[:5], np.append(found.mask, True)):
        with pytest.raises(ModerateError, match="is not a mask, a bool array of shape"):
            moderate_cli.write_index(tmp_path / "k.txt", found.scores, kept)
    assert not (tmp_path / "k.txt").exists()


def test_scores_that_have_classes_take_no_labels(embedded):
    scores = moderate_cli.score(embedded, **FEATURES)
    with pytest.raises(ModerateError, match="leave out labels"):
        moderate_cli.select(scores=scores, labels=np.zeros(8, dtype=int), ratio=0.5)


@pytest.mark.parametrize("option", [{"backbone": "resnet18"}, {"store": "s"}, {"dtype": "float32"}])
def test_options_of_embedding_are_refused_where_nothing_is_embedded(embedded, option):
    (name,) = option
    labels = np.array([0, 0, 1, 1])
    store = moderate_cli.embed(embedded, **FEATURES)
    for call in (
        lambda: moderate_cli.select(scores=np.ones(4), ratio=0.5, **option),
        lambda: moderate_cli.score(features=np.eye(4), labels=labels, **option),
        lambda: moderate_cli.select(store, ratio=0.5, **option),
    ):
        with pytest.raises(ModerateError) as caught:
            call()
        assert str(caught.value) == f"{name} has no effect without a dataset to embed"


def test_features_without_columns_are_refused():
    labels = np.array([0, 0, 1, 1])
    with pytest.raises(ModerateError, match="features: is empty"):
        moderate_cli.select(features=np.zeros((4, 0)), labels=labels, ratio=0.5)


def test_a_feature_set_is_no_dataset(embedded, tmp_path):
    store = moderate_cli.embed(embedded, **FEATURES)
    for call in (
        lambda: moderate_cli.embed(store),
        lambda: moderate_cli.estimate(store),
        lambda: moderate_cli.report(store, tmp_path / "r.html"),
        lambda: moderate_cli.perturb(store, tmp_path / "noisy", label_noise=0.5),
        lambda: moderate_cli.evaluate(embedded, test=store, **FEATURES),
    ):
        with pytest.raises(ModerateError, match="is a feature set; pass its dataset"):
            call()


@pytest.mark.parametrize(
    ("function", "name", "message"),
    [
        ("select", "copy_to", "select() takes no copy_to; use export()"),
        ("select", "ratoi", "select() takes no ratoi; did you mean ratio?"),
        ("suggest", "back_bone", "suggest() takes no back_bone; did you mean backbone?"),
        ("embed", "xyz", "embed() takes no xyz; help(moderate_cli.embed) lists its options"),
        *(
            (name, "devise", f"{name}() takes no devise; did you mean device?")
            for name in ("evaluate", "score", "suspects", "duplicates", "fit")
        ),
    ],
)
def test_an_unknown_keyword_is_refused(embedded, function, name, message):
    how = {"ratio": 0.3} if function == "select" else {}
    with pytest.raises(ModerateError) as caught:
        getattr(moderate_cli, function)(embedded, **how, **{name: "x"})
    assert str(caught.value) == message


def test_a_report_takes_the_keywords_of_a_selection(embedded, tmp_path):
    with pytest.raises(ModerateError, match=r"report\(\) takes no stratgy; did you mean"):
        moderate_cli.report(embedded, tmp_path / "r.html", stratgy="random")
