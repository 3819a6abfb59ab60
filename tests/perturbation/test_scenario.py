from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError
from moderate_cli.perturbation import plan


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=40),
    st.fractions(0, 1),
    st.fractions(0, 1),
    st.fractions(0, 1),
    st.integers(0, 5),
)
def test_every_image_has_a_path_of_its_own(labels, noise, pairs, corrupt, seed):
    samples = {f"{'abcd'[label]}/{n // 4}{'.jpg' if n % 2 else '.png'}": label
               for n, label in enumerate(sorted(labels))}  # fmt: skip
    dataset = Dataset(None, tuple("abcd"), list(samples), np.array(list(samples.values())))
    pairs = min(pairs, 1 - noise)
    planned = plan(dataset, noise, pairs, corrupt, None, seed)
    assert len({image.path for image in planned}) == len(samples)
    for image in planned:
        assert image.path.startswith("abcd"[image.label] + "/")
    half, n = Fraction(1, 2), len(samples)
    wrong = sum(image.label != samples[image.source] for image in planned)
    # Of two rounded counts the second has what the first leaves.
    assert wrong == min(n, int(n * noise + half) + int(n * pairs + half))
    assert sum(bool(image.corruption) for image in planned) == int(n * corrupt + half)


def test_one_class_has_no_wrong_labels():
    dataset = Dataset(None, ("a",), ["a/1.png"], np.zeros(1, dtype=np.int64))
    with pytest.raises(ArgumentError) as caught:
        plan(dataset, Fraction(1, 2), Fraction(0), Fraction(0), None, 0)
    assert str(caught.value) == "label noise: needs two classes, and there is only one"
