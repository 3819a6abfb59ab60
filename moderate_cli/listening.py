"""Who is told how far the work is, and what is worth knowing: a terminal, a notebook, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

    from moderate_cli.dataset import Dataset
    from moderate_cli.notices import Notice, Timing

Move = Callable[[int, int], None]  # told how many are done, and how many there are


class Listener:
    """Told what happens; this one does nothing. Override what you want to hear."""

    @contextmanager
    def progress(self, what: str, *, unit: str = "img", delay: float = 0.0) -> Iterator[Move]:
        """Yield what is told how far a piece of work is.

        Parameters
        ----------
        what
            The work, such as "embed".
        unit
            What is counted.
        delay
            Seconds; of what ends sooner nothing needs to be shown.
        """
        yield lambda done, total: None

    def listed(self, dataset: Dataset, *, clustered: bool = False) -> None:
        """A dataset was listed; `dataset.notices` tells what is odd about it.

        `clustered` says that clusters take the place of its classes.
        """

    def notice(self, notice: Notice) -> None:
        """Something is worth knowing; `moderate_cli.words` says it in a sentence."""

    def timed(self, timing: Timing) -> None:
        """Images were embedded, in so much time."""


SILENT = Listener()


class Bars(Listener):
    """Shows bars in a notebook or a terminal, by `tqdm.auto`.

    Examples
    --------
    >>> from moderate_cli import Bars, select
    >>> select("data/train", ratio=0.3, listener=Bars())  # doctest: +SKIP
    """

    @contextmanager
    def progress(self, what: str, *, unit: str = "img", delay: float = 0.0) -> Iterator[Move]:
        """Show a bar for as long as the work lasts."""
        from tqdm.auto import tqdm

        bar: tqdm[Any] = tqdm(desc=what, unit=unit, delay=delay)

        def move(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            yield move
        finally:
            bar.close()
