"""A suggestion: facts, a comparison, and the one command to use."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moderate_cli.evaluation import Comparison
from moderate_cli.evaluation.about import OUTPUT
from moderate_cli.selection import Choice
from moderate_cli.selection.spelling import spelled
from moderate_cli.suggesting.facts import Facts
from moderate_cli.suggesting.options import Reason
from moderate_cli.text import counted, named
from moderate_cli.words import say_noise

WIDTH = 80
UNEVEN = 3  # between the sizes of the largest and of the smallest class
STAND_INS = {
    "probe": "",
    "fine-tune": "fine-tuning itself: a linear probe on frozen features took its place",
    "train": "your own network: a small one took its place",
}


@dataclass(frozen=True, eq=False, repr=False)
class Suggestion:
    """What to select, and why.

    Attributes
    ----------
    facts
        Facts of the dataset.
    comparison
        Accuracies of the selections that were compared.
    choice
        The options to select with, as `select` takes them.
    reasons
        The options besides the strategy, and the facts that ask for them.
    purpose
        What the images are for: a key of `STAND_INS`.

    Examples
    --------
    >>> from moderate_cli import suggest
    >>> suggest("data/train", ratio=0.5, seeds=1, backbone="pixels").choice.strategy
    'random'
    """

    facts: Facts
    comparison: Comparison
    choice: Choice
    reasons: Sequence[Reason]
    purpose: str

    def __repr__(self) -> str:
        """Return the text that `moderate suggest` prints."""
        return self.text()

    def text(self, output: Sequence[str] = OUTPUT) -> str:
        """Return facts, table, verdict, and the command with these words for its output."""
        about = self.comparison.about
        judged = [] if about is None else list(about.facts())[1:]
        facts = named([*self._facts(), *judged])
        verdict = [f"Verdict: {self.verdict}.", f"Not judged: {'; '.join(self.unjudged)}."]
        filled = [textwrap.fill(one, WIDTH, break_on_hyphens=False) for one in verdict]
        command = self.command(output)
        shown = f"\n  {command}\n" if command else ""
        return "\n".join([facts, self.comparison.shown(), *filled, shown])

    @property
    def verdict(self) -> str:
        """What to take, by how much it is ahead, and how sure that is."""
        return self.comparison.verdict

    @property
    def unjudged(self) -> list[str]:
        """What the comparison does not tell."""
        about, found = self.comparison.about, []
        if stand_in := STAND_INS[self.purpose]:
            found.append(stand_in)
        if about is not None and about.doubted:
            found.append("the test set, whose labels are taken as they are")
        elif about is not None and not about.test:
            found.append("images from elsewhere; pass a test set with --test")
        sizes = [size for _, size in self.facts.classes]
        if sizes[0] > UNEVEN * sizes[-1]:
            found.append("rare classes: --balance uniform keeps as many images of each class")
        if self.facts.duplicates is None:
            found.append("near duplicates, because there are too many images to compare")
        if self.facts.noise.suspects:
            found.append("wrong labels between look-alike classes, of which only a part is found")
        return found or ["other ratios"]

    def command(self, output: Sequence[str] = OUTPUT) -> str:
        """Return the command that makes the selection; "" if nothing names the data."""
        return shlex.join(words) if (words := self.words(output)) else ""

    def words(self, output: Sequence[str] = OUTPUT) -> list[str]:
        """Return the words of the command."""
        about = self.comparison.about
        if about is None or about.inputs is None:
            return []
        return ["moderate", "select", *spelled(self.choice), *about.inputs, *output]

    def _facts(self) -> Iterator[tuple[str, str]]:
        """Yield the facts of the data, by name."""
        facts, about = self.facts, self.comparison.about
        sizes = [size for _, size in facts.classes]
        name = "" if about is None else f"{about.data}, "
        between = f"{sizes[-1]} to {sizes[0]}" if sizes[-1] < sizes[0] else f"{sizes[0]}"
        classes = counted(len(sizes), "class", "classes")
        yield "data", f"{name}{counted(facts.images, 'image')} in {classes} of {between}"
        if facts.unreadable:
            images = counted(facts.unreadable, "image")
            yield "unreadable", f"{images} cannot be read: --on-error skip"
        for one in facts.odd:
            yield "files", one
        yield "labels", say_noise(facts.noise, fit=facts.fit)
        reasons = {reason.option.split()[0]: reason for reason in self.reasons}
        if facts.duplicates:
            number = counted(facts.duplicates, "near duplicate", "near duplicates")
            torn = f", {counted(facts.torn, 'pair')} with different labels" if facts.torn else ""
            option = f": {reasons['--dedup'].option}" if "--dedup" in reasons else ""
            yield "duplicates", f"{number} of other images{torn}{option}"
        if "--min-per-class" in reasons:
            reason = reasons["--min-per-class"]
            yield "classes", f"{reason.why}: {reason.option}"
        if not facts.hardly_known:
            share = f"{100 * facts.accuracy:.0f} %"
            yield "features", f"a linear probe predicts {share} of the labels that it did not see"
