"""Results say what they are in a cell of a notebook."""

import numpy as np
import pytest

import moderate_cli

FEATURES = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}


@pytest.fixture
def results(embedded, tmp_path):
    selection = moderate_cli.select(embedded, ratio=0.5, **FEATURES)
    kept = tmp_path / "kept.json"
    moderate_cli.write_index(kept, selection.scores, selection.mask, recipe=selection.recipe)
    store = moderate_cli.embed(embedded, **FEATURES)
    return {
        "dataset": moderate_cli.scan(embedded),
        "store": store,
        "scores": moderate_cli.score(store),
        "selection": selection,
        "suspects": moderate_cli.suspects(store, fraction=0.25),
        "found": moderate_cli.suspects(store).found,
        "duplicates": moderate_cli.duplicates(store),
        "comparison": moderate_cli.evaluate(
            embedded, ratio=0.5, strategy="easy", seeds=1, **FEATURES
        ),
        "verification": moderate_cli.verify(kept, embedded),
    }


def test_results_are_shown_in_a_line(results, embedded):
    shown = {name: repr(one) for name, one in results.items() if name != "comparison"}
    assert shown == {
        "dataset": f"Dataset(8 images, 3 classes, in {embedded})",
        "store": f"FeatureStore(8 images, 192 features each, in {results['store'].folder})",
        "scores": "Scores(8 images, 3 classes, median 4.71)",
        "selection": "Selection(4 of 8 images in 3 classes, strategy moderate, criterion center)",
        "suspects": f"LabelErrors({repr(results['suspects'])[12:]}",
        "found": f"Suspects(0 suspects of 8 images, noise {results['found'].noise_rate:.2g})",
        "duplicates": "NearDuplicates(5 near duplicates of 1 image)",
        "verification": "Verification(4 images, 0 differences)",
    }


def test_results_with_a_table_show_it(results):
    for name in ("selection", "suspects", "duplicates", "comparison"):
        assert results[name]._repr_html_().startswith("<table><caption"), name
    text = results["selection"]._repr_html_()
    assert "<tr><td>cat</td><td>5</td><td>2</td></tr>" in text
    assert "Accuracy in percent, 1 seed" in results["comparison"]._repr_html_()


def test_results_may_be_compared_and_kept_in_sets(results):
    for name, one in results.items():
        assert one == one, name
        assert bool(one != results["dataset"]) or name == "dataset"
    assert results["scores"] != moderate_cli.Scores(np.zeros(8), np.zeros(8, dtype=int))
    assert len({results[name] for name in ("scores", "selection", "found", "comparison")}) == 4


def test_the_package_tells_its_version_and_names():
    from importlib.metadata import version

    assert moderate_cli.__version__ == version("moderate-cli")
    assert "select" in dir(moderate_cli)
    with pytest.raises(AttributeError):
        _ = moderate_cli.no_such_name


def test_an_evaluation_takes_a_feature_set_for_a_probe_alone(embedded):
    store = moderate_cli.embed(embedded, **FEATURES)
    options = {"ratio": 0.5, "strategy": "easy", "seeds": 1}
    found = moderate_cli.evaluate(store, **options)
    assert found.shown() == moderate_cli.evaluate(embedded, **options, **FEATURES).shown()
    for judge in ("train", "fine-tune"):
        with pytest.raises(moderate_cli.ModerateError, match="needs a dataset, not its"):
            moderate_cli.evaluate(store, with_=judge, **options)
