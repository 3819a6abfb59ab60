import math

import numpy as np
from labels import mislabel

from moderate_cli.label_errors.noise import TEMPERATURES, fit_noise


def test_no_class_is_taken_to_have_its_label_less_than_half_of_the_time():
    # Of 100 images of each class, 90 of the first have the label of the second.
    classes = np.repeat([0, 1], 100)
    labels = np.where(np.arange(200) < 90, 1, classes)
    noise = fit_noise(40 * np.eye(2, dtype=np.float32)[classes], labels, 2)
    np.testing.assert_allclose(noise.transition[0], [0.5, 0.5])
    assert noise.transition[1, 1] > 0.9


def plain_fit(predicted, labels, classes, temperature):
    """Expectation-maximization image by image: T and the log-likelihood of the last pass."""
    rates = [
        [0.9 if c == y else 0.1 / (classes - 1) for y in range(classes)] for c in range(classes)
    ]
    likelihood = -math.inf
    for _ in range(60):
        before, likelihood = likelihood, 0.0
        counts = [[0.0] * classes for _ in range(classes)]
        for logits, y in zip(predicted, labels, strict=True):
            powers = [math.exp(z / temperature) for z in logits]
            joint = [p / sum(powers) * rates[c][y] for c, p in enumerate(powers)]
            likelihood += math.log(sum(joint))
            for c in range(classes):
                counts[c][y] += joint[c] / sum(joint)
        wrong = 1 - sum(counts[c][c] for c in range(classes)) / len(labels)
        for c in range(classes):
            for y in range(classes):
                counts[c][y] += 10 * (1 - wrong if c == y else wrong / (classes - 1))
            row = [count / sum(counts[c]) for count in counts[c]]
            right = max(row[c], 0.5)
            rates[c] = [
                right if y == c else r * (1 - right) / (1 - row[c]) for y, r in enumerate(row)
            ]
        if likelihood - before < 1e-6 * len(labels):
            break
    return np.array(rates), likelihood


def test_the_noise_is_that_of_the_plain_statement(rng):
    labels = rng.integers(0, 3, 60)
    logits = 2 * rng.normal(size=(60, 3)) + 4 * np.eye(3)[mislabel(labels, rng, 0.2)[0] % 3]
    noise = fit_noise(logits.astype(np.float32), labels, 3)
    plain = {t: plain_fit(logits.tolist(), labels, 3, t) for t in TEMPERATURES.tolist()}
    likeliest = max(plain, key=lambda t: plain[t][1])
    assert noise.temperature == likeliest
    np.testing.assert_allclose(noise.transition, plain[likeliest][0], atol=1e-4)


def test_a_sure_head_makes_the_noise_a_count_of_labels():
    # 100 images of each class; 20 of the first have the label of the second. To these counts 10
    # images a class are added, of which a tenth, as of all images, are wrong.
    classes = np.repeat([0, 1], 100)
    labels = np.where(np.arange(200) < 20, 1, classes)
    noise = fit_noise(40 * np.eye(2, dtype=np.float32)[classes], labels, 2)
    expected = [[(80 + 9) / 110, (20 + 1) / 110], [1 / 110, 109 / 110]]
    np.testing.assert_allclose(noise.transition, expected, atol=1e-6)
