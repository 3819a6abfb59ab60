"""What an evaluation is about: the data, the judge, and the test images."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from moderate_cli.evaluation.estimates import FEWEST_SEEDS
from moderate_cli.selection import Choice
from moderate_cli.selection.spelling import spelled
from moderate_cli.text import counted

OUTPUT = ("-o", "kept.txt")  # of a command to paste, if the user names none


class About(NamedTuple):
    """What an evaluation is about.

    Attributes
    ----------
    data, images, classes
        Name of the dataset, and number of its readable images and of its classes.
    judge
        What is trained on each selection.
    seeds
        Number of repetitions.
    test, test_images
        Name and number of images of the test set; "" if images are held out.
    doubted
        Number of labels of the test set that are probably wrong.
    inputs
        Words that name the data and its features on the command line; None if nothing names them.
    head_accuracy
        Share of the images for which a linear probe is right, if features hardly know the classes;
        otherwise NaN.
    fit
        Whether `moderate fit` may help then.
    """

    data: str
    images: int
    classes: int
    judge: str
    seeds: int
    test: str = ""
    test_images: int = 0
    doubted: int = 0
    inputs: Sequence[str] | None = None
    head_accuracy: float = math.nan
    fit: bool = False

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what a reader of the table should know, by name."""
        shown = f"{self.data}, {counted(self.images, 'image')}"
        yield "data", f"{shown} in {counted(self.classes, 'class', 'classes')}"
        few = self.seeds < FEWEST_SEEDS
        seeds = f"{counted(self.seeds, 'seed')}, {'each ' * (self.seeds > 1)}on a random 80 %"
        interval = "no interval" if few else "± 95 % interval"
        yield "judge", self.judge
        yield "runs", f"{seeds} of the images; {interval}"
        if self.test:
            yield "test", f"{self.test}, {counted(self.test_images, 'image')}{self._doubts()}"
        else:
            yield "test", "a fifth of the data, held out; doubtful labels count less"

    def _doubts(self) -> str:
        if not self.doubted:
            return ""
        are = "is" if self.doubted == 1 else "are"
        return f"; about {self.doubted} of their labels {are} probably wrong"

    def command(self, choice: Choice, output: Sequence[str] = OUTPUT) -> str:
        """Return the command that makes a selection; "" if nothing names the data."""
        if self.inputs is None:
            return ""
        return shlex.join(["moderate", "select", *spelled(choice), *self.inputs, *output])
