import numpy as np
import pytest
from reports import HOW, subject_of

from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting import sample as module
from moderate_cli.reporting.sample import sample, sample_note
from moderate_cli.selection.duplicates import Duplicates

LABELS = np.array(8 * [0] + 3 * [1] + [2])


@pytest.fixture
def subject(tmp_path):
    """Twelve images; 5 and 9 are suspects, 1 and 10 near duplicates of 0 and 2."""
    probability = np.full(12, 0.1)
    probability[[5, 9]] = 0.7, 0.9
    suspects = Suspects(probability, (LABELS + 1) % 3)
    duplicates = Duplicates(np.array([1, 10]), np.array([0, 2]), np.array([1.0, 0.96]))
    return subject_of(
        tmp_path, range(12), LABELS, "abc", HOW, suspects=suspects, duplicates=duplicates
    )


def test_images_to_look_at_come_first_and_then_each_class_in_turn(subject):
    rows = sample(subject).tolist()
    # The surest suspect; the pair of two classes before the pair of one.
    assert rows[:6] == [9, 5, 10, 2, 1, 0]
    assert sorted(rows) == list(range(12))
    # Images of all classes that are left, before a second one of any.
    assert sorted(LABELS[rows[6:9]].tolist()) == [0, 1, 2]
    assert LABELS[rows[9:]].tolist() == [0, 0, 0]
    assert sample(subject).tolist() == rows


def test_of_many_images_the_first_are_shown(subject, monkeypatch):
    every = sample(subject).tolist()
    monkeypatch.setattr(module, "MOST_IMAGES", 7)
    assert sample(subject).tolist() == every[:7]


def test_the_note_says_what_was_sampled(subject, tmp_path):
    assert sample_note(subject, 12) == ""
    assert sample_note(subject, 7) == (
        "The page has room for 7 of 12 images: the 2 surest likely label errors, near duplicates,"
        " and a random sample of each class."
    )
    plain = subject_of(tmp_path, range(12), LABELS, "abc", HOW)
    assert sample_note(plain, 7) == (
        "The page has room for 7 of 12 images: a random sample of each class."
    )
