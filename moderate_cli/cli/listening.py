"""The listener of the command line: bars and notices on stderr."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from moderate_cli.cli import console
from moderate_cli.cli.outputs import NO_OUTPUTS, Outputs
from moderate_cli.cli.progress import Progress
from moderate_cli.dataset import Dataset, sentences
from moderate_cli.listening import Listener, Move
from moderate_cli.notices import Notice, Timing
from moderate_cli.text import counted, some
from moderate_cli.words import say

# Work -> its name on the screen.
NAMES = {
    "check": "looking for changes",
    "copy": "copying",
    "duplicates": "looking for near duplicates",
    "embed": "computing features",
    "evaluate": "comparing selections",
    "fit": "training",
    "near duplicates": "looking for near duplicates",
    "perturb": "perturbing",
    "pictures": "drawing pictures",
    "read": "reading images",
    "score": "scoring",
    "select": "selecting",
    "suspects": "looking for label errors",
    "verify": "verifying",
}
LOADING = "loading "


class Console(Listener):
    """Tells the user what happens, and refuses outputs that would harm a dataset.

    Parameters
    ----------
    outputs
        Outputs of the command.
    verbose
        Whether to print timings.

    Attributes
    ----------
    embedded
        Number of images of each embedding.
    """

    def __init__(self, outputs: Outputs = NO_OUTPUTS, *, verbose: bool = False) -> None:
        self._outputs, self._verbose = outputs, verbose
        self._progress, self._loaded = Progress(), ""
        self.embedded: list[int] = []

    def progress(
        self, what: str, *, unit: str = "img", delay: float = 0.0
    ) -> AbstractContextManager[Move]:
        """Show a bar, or a line now and then."""
        shown = NAMES.get(what, what)
        if what.startswith(LOADING) and what != f"{LOADING}torch":
            self._loaded = what.removeprefix(LOADING)
        if what == "embed" and self._loaded:
            shown = f"{shown} of {self._loaded}"  # one of several networks
        return self._progress.phase(shown, "%" if what == "fit" else unit, delay)

    def listed(self, dataset: Dataset, *, name: str, store: Path, clustered: bool = False) -> None:
        """Warn of oddities of a dataset, and check outputs, before anything is embedded."""
        if dataset.empty_classes:
            empty = counted(len(dataset.empty_classes), "class has", "classes have")
            labels = "" if (found := dataset.corrections) is None else f" with {found.name}"
            console.warn(f"{name}: {empty} no images{labels}: {some(dataset.empty_classes)}")
        for sentence in sentences(dataset, name, clustered=clustered):
            console.warn(f"{name}: {sentence}")
        self._outputs.check(dataset, store)

    def notice(self, notice: Notice) -> None:
        """Print a notice."""
        said = say(notice)
        if notice.kind.startswith("interrupted"):
            console.say_interrupted(said.text)
            return
        {"warning": console.warn, "": console.note}[said.level](said.text)

    def timed(self, timing: Timing) -> None:
        """Note it; print it if the user asked for it."""
        self.embedded.append(timing.images)
        if self._verbose:
            rate = timing.images / timing.elapsed
            workers = counted(timing.workers, "worker")
            console.note(
                f"{timing.images} images in {timing.elapsed:.1f} s, {rate:.0f} images/s:"
                f" decode {timing.decode:.1f} s and transform {timing.transform:.1f} s in"
                f" {workers}, forward {timing.forward:.1f} s, write {timing.write:.1f} s"
            )
