"""The options that facts of a dataset ask for."""

import pytest

from moderate_cli.label_errors.doubts import NoiseEstimate
from moderate_cli.selection import Choice
from moderate_cli.suggesting import Facts, choice_for
from moderate_cli.suggesting.options import enough_per_class, starved

PLAIN = Facts(
    1000,
    (("cat", 600), ("dog", 400)),
    unreadable=0,
    noise=NoiseEstimate(0, 1000, 0.0),
    accuracy=0.9,
    hardly_known=False,
    fit=False,
    duplicates=0,
    torn=0,
    odd=(),
)
ASKED = Choice(ratio="0.3", seed=7)


def test_plain_data_needs_no_options():
    assert choice_for(PLAIN, ASKED) == (ASKED, [])


@pytest.mark.parametrize(("duplicates", "dedup"), [(None, None), (9, None), (10, 0.95)])
def test_near_duplicates_are_dropped_from_one_percent_on(duplicates, dedup):
    choice, reasons = choice_for(PLAIN._replace(duplicates=duplicates), ASKED)
    assert choice.dedup == dedup
    assert [reason.option for reason in reasons] == (["--dedup 0.95"] if dedup else [])


@pytest.mark.parametrize(("duplicates", "torn"), [(501, 0), (100, 26)])
def test_images_that_are_all_alike_are_no_copies(duplicates, torn):
    facts = PLAIN._replace(duplicates=duplicates, torn=torn)
    assert choice_for(facts, ASKED) == (ASKED, [])


def test_a_class_that_would_keep_few_images_keeps_ten():
    facts = PLAIN._replace(classes=(("cat", 600), ("dog", 385), ("owl", 15)))
    assert starved(facts, ASKED) == [("owl", 15, 4)]
    choice, (reason,) = choice_for(facts, ASKED)
    assert (choice.min_per_class, choice.ratio, choice.seed) == (10, "0.3", 7)
    assert reason == ("--min-per-class 10", "owl would keep 4 of its 15 images")


def test_small_classes_take_at_most_a_tenth_of_the_budget():
    # 50 classes of 20 images keep 6 each; 10 each would take 200 of 300 images from others.
    facts = PLAIN._replace(classes=tuple((f"{n}", 20) for n in range(50)))
    assert enough_per_class(facts, ASKED) == 1
    # Of 12 classes, two of which are small: (10 - 3) + (8 - 2) = 13 of 300 images.
    big = tuple((f"{n}", 98) for n in range(10))
    facts = PLAIN._replace(classes=(*big, ("a", 12), ("b", 8)))
    assert enough_per_class(facts, ASKED) == 10
    assert choice_for(facts, ASKED)[1][0].why == (
        "b would keep 2 of its 8 images, and 1 more class fewer than 10, too"
    )


def test_a_class_that_is_kept_whole_does_not_starve():
    facts = PLAIN._replace(classes=(("cat", 995), ("owl", 5)))
    assert starved(facts, Choice(ratio=1)) == []
