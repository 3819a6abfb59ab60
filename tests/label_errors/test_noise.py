import math

import numpy as np
import pytest
from labels import mislabel

from moderate_cli.gpu import Processor
from moderate_cli.label_errors import noise as module
from moderate_cli.label_errors.noise import FLOORS, Noise, fit_noise, knows, likelihood
from moderate_cli.label_errors.transitions import PRIOR
from moderate_cli.scoring.linear_head import softmax

HERE = Processor()
SURE = 0.97  # output of a head for the class that it sees


def outputs_of(classes):
    """Outputs of a head that sees the classes of images as they are."""
    count = classes.max() + 1
    return np.where(np.eye(count, dtype=bool)[classes], SURE, (1 - SURE) / (count - 1))


def test_no_class_is_taken_to_have_its_label_less_than_half_of_the_time():
    # Of 100 images of each class, 90 of the first have the label of the second.
    classes = np.repeat(np.arange(6), 100)
    labels = np.where(np.arange(600) < 90, 1, classes)
    for fit in fit_noise(HERE, outputs_of(classes), labels).fits:
        assert fit.transition[0, 0] == pytest.approx(0.5, abs=1e-9)
        assert fit.transition.sum(axis=1) == pytest.approx(np.ones(6))
        assert fit.transition[1, 1] > 0.9


def test_a_sure_head_makes_the_noise_a_count_of_labels():
    # 100 images of each class; 20 of the first have the label of the second. To these counts 12
    # images a class are added, of which a tenth, as of all images, are wrong.
    classes = np.repeat([0, 1], 100)
    labels = np.where(np.arange(200) < 20, 1, classes)
    noise = fit_noise(HERE, outputs_of(classes), labels)
    extra = 2 * PRIOR
    right, wrong = 80 + 0.9 * extra, 20 + 0.1 * extra
    expected = [[right, wrong], [0.1 * extra, 100 + 0.9 * extra]]
    for fit in noise.fits:
        np.testing.assert_allclose((100 + extra) * fit.transition, expected, atol=1e-3)


def plain_likelihood(outputs, labels, floor, power, rate):
    """The log-likelihood of the labels image by image, if wrong ones are spread evenly."""
    total = 0.0
    for row, label in zip(outputs.tolist(), labels.tolist(), strict=True):
        powers = [(1 + max(value, -floor / 2) / floor) ** power for value in row]
        right = powers[label] / sum(powers)
        total += math.log((1 - rate) * right + rate * (1 - right) / (len(row) - 1))
    return total


def test_the_likelihood_is_that_of_the_plain_statement(rng, monkeypatch):
    monkeypatch.setattr(module, "FLOORS", FLOORS[1:])
    monkeypatch.setattr(module, "POWERS", {2**0.5: 4, 2.0: 4})
    classes = rng.integers(0, 4, 80)
    labels = mislabel(classes, rng, 0.2)[0] % 4
    outputs = outputs_of(classes) / 2 + rng.normal(scale=0.1, size=(80, 4))
    plain = max(
        plain_likelihood(outputs, labels, floor, power, rate)
        for floor in FLOORS[1:]
        for power in 2.0 ** np.arange(0.5, 4.5, 0.5)
        for rate in np.linspace(0, 0.69, 70)
    )
    assert plain <= likelihood(HERE, outputs, labels) == pytest.approx(plain, abs=0.05)


def test_pairs_of_classes_have_their_own_rates_if_outputs_know_the_classes(rng):
    classes = np.repeat(np.arange(4), 100)
    labels = np.where((classes == 0) & (rng.random(400) < 0.3), 1, classes)
    outputs = outputs_of(classes) + rng.normal(scale=0.02, size=(400, 4))
    noise = fit_noise(HERE, outputs, labels)
    assert noise.known
    for fit in noise.fits:
        assert fit.transition[0, 1] > 0.2 > 10 * fit.transition[0, 2]
    blurred = fit_noise(HERE, outputs + rng.normal(size=(400, 4)), labels)
    assert not blurred.known
    (fit,) = blurred.fits
    # Half an image of 400 is taken to be wrong.
    np.testing.assert_allclose(np.diag(fit.transition), 1 - 0.5 / 400)


def test_each_floor_has_its_fit_and_the_mean_of_their_probabilities_counts(rng):
    classes = np.repeat(np.arange(4), 60)
    labels = mislabel(classes, rng, 0.2)[0] % 4
    outputs = outputs_of(classes) / 2 + rng.normal(scale=0.15, size=(240, 4))
    noise = fit_noise(HERE, outputs, labels)
    assert [fit.floor for fit in noise.fits] == list(FLOORS)
    plain = np.zeros((240, 4))
    for fit in noise.fits:
        raised = (1 + np.maximum(outputs, -fit.floor / 2) / fit.floor) ** fit.power
        joint = raised / raised.sum(axis=1, keepdims=True) * fit.transition[:, labels].T
        plain += joint / joint.sum(axis=1, keepdims=True) / len(FLOORS)
    found = noise.posterior(np, noise.kept(HERE), outputs, labels)
    np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-12)
    single = [Noise((fit,), known=True) for fit in noise.fits]
    assert len({one.posterior(np, one.kept(HERE), outputs, labels)[0, 0] for one in single}) == 4


def test_classes_are_no_more_doubted_than_they_overlap(rng):
    # Half of the images of each class are ambiguous: 2 of 5 have the label of the next class, and
    # the outputs follow the labels, not the classes.
    classes = np.repeat([0, 1, 2], 200)
    ambiguous = np.arange(600) % 2 == 0
    labels = np.where(ambiguous & (np.arange(600) % 10 < 4), (classes + 1) % 3, classes)
    outputs = np.where(ambiguous[:, None], np.array([0.6, 0.4, 0]), np.array([1.0, 0, 0]))
    every = np.arange(600)[:, None]
    outputs = outputs[every, (np.arange(3) - classes[:, None]) % 3]
    outputs = outputs + rng.normal(scale=0.02, size=(600, 3))

    def wrong(overlap):
        noise = fit_noise(HERE, outputs, labels, overlap)
        found = noise.posterior(np, noise.kept(HERE), outputs, labels)
        return 1 - found[np.arange(600), labels]

    assert (wrong(1.0) > 0.5).sum() == 0
    np.testing.assert_array_equal(wrong(0.02) > 0.5, labels != classes)


def test_noise_is_taken_off_the_accuracy_before_classes_count_as_unknown():
    assert knows(0.6, 0.0, 0.5) is False  # 0.2 of the half above chance
    assert knows(0.6, 0.3, 0.5) is True
    assert knows(0.36, 0.0, 0.01) is True
    assert knows(0.34, 0.0, 0.01) is False
    assert knows(0.92, 0.0, 0.9) is False  # 0.2 above the share of the largest class


def test_squares_of_exponentials_are_the_powers_that_they_stand_for(rng, monkeypatch):
    outputs, labels = rng.normal(scale=0.3, size=(90, 7)), rng.integers(0, 7, 90)
    monkeypatch.setattr(module, "FLOORS", (0.03,))
    names, rights, doubts = module._of_labels(HERE, outputs, labels)
    for (_, power), right, doubt in zip(names, rights, doubts, strict=True):
        logarithms = np.log1p(np.maximum(outputs, -0.015) / 0.03)
        plain = softmax(power * logarithms)
        np.testing.assert_allclose(right, plain[np.arange(90), labels], rtol=1e-11, atol=1e-300)
        assert doubt == pytest.approx(1 - plain.max(axis=1).mean(), abs=1e-12)
    powers = sorted(power for _, power in names)
    np.testing.assert_allclose(powers, 2.0 ** np.arange(0.5, 12.0, 0.5))


def test_the_likeliest_rates_are_those_of_bisection(rng):
    shares = np.array([0.0, 0.05, 0.3, 0.3, 1.0])
    unlikely = rng.random((5, 500)) < shares[:, None]
    right = np.where(unlikely, 1e-9, 0.99 - 0.5 * rng.random((5, 500)))
    gain = (1 - right) / 9 - right
    found = module._likeliest_rates(right, gain, 0.7)
    for own, grows, rate in zip(right, gain, found, strict=True):
        low, high = 0.0, 0.7
        for _ in range(60):
            middle = (low + high) / 2
            slope = (grows / (own + middle * grows)).sum()
            low, high = (middle, high) if slope > 0 else (low, middle)
        assert rate == pytest.approx(middle, rel=1e-9, abs=1e-12)
    assert found[0] == 0
    assert 0.01 < found[1] < found[2] < found[4] == pytest.approx(0.7)
