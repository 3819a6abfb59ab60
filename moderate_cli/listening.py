"""Listeners, which hear progress and notices: a terminal, a notebook, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tqdm import tqdm

    from moderate_cli.dataset import Dataset
    from moderate_cli.notices import Notice, Timing

Move = Callable[[int, int], None]  # called with the number done, and the number of all
PATIENCE = 2.0  # seconds, after which a bar is shown


class Listener:
    """Hears what happens, and does nothing. Override the methods that you need.

    Examples
    --------
    >>> class Loud(Listener):
    ...     def notice(self, notice):
    ...         print(notice.kind)
    >>> from moderate_cli import duplicates
    >>> found = duplicates("data/train", backbone="pixels", listener=Loud())
    duplicates
    torn duplicates
    """

    def progress(
        self, what: str, *, unit: str = "img", delay: float = 0.0
    ) -> AbstractContextManager[Move]:
        """Yield a function to call with the progress of a piece of work.

        Parameters
        ----------
        what
            Name of the work, such as "embed".
        unit
            Unit of the counts.
        delay
            Seconds; shorter work needs no bar.
        """
        return nullcontext(_ignore)

    def listed(self, dataset: Dataset, *, name: str, store: Path, clustered: bool = False) -> None:
        """Hear that a dataset was listed, before it is embedded; raise an error to stop here.

        Parameters
        ----------
        dataset
            The dataset; its `notices` are its oddities.
        name
            The dataset's name, as the user wrote it.
        store
            Folder of its feature sets.
        clustered
            Whether clusters of the features replace its classes.
        """

    def notice(self, notice: Notice) -> None:
        """Hear a notice; `moderate_cli.words` says it in a sentence."""

    def timed(self, timing: Timing) -> None:
        """Hear how long an embedding took."""


def _ignore(done: int, total: int) -> None:
    pass


SILENT = Listener()


class Recorder(Listener):
    """Passes everything on to another listener, and keeps the notices."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.notices: list[Notice] = []

    def progress(
        self, what: str, *, unit: str = "img", delay: float = 0.0
    ) -> AbstractContextManager[Move]:
        """Pass on."""
        return self._listener.progress(what, unit=unit, delay=delay)

    def listed(self, dataset: Dataset, *, name: str, store: Path, clustered: bool = False) -> None:
        """Pass on."""
        self._listener.listed(dataset, name=name, store=store, clustered=clustered)

    def notice(self, notice: Notice) -> None:
        """Keep and pass on."""
        self.notices.append(notice)
        self._listener.notice(notice)

    def timed(self, timing: Timing) -> None:
        """Pass on."""
        self._listener.timed(timing)


def with_bars(listener: Listener, progress: bool) -> Listener:
    """Return a listener that also shows progress bars, if asked for."""
    return _Bars(listener) if progress else listener


class _Bars(Recorder):
    """Shows bars in a notebook or a terminal, by `tqdm.auto`; passes on everything else."""

    @contextmanager
    def progress(self, what: str, *, unit: str = "img", delay: float = 0.0) -> Iterator[Move]:
        """Show a bar for as long as the work lasts, and pass on."""
        from tqdm.auto import tqdm

        bar: tqdm[Any] = tqdm(desc=what, unit=unit, delay=delay)
        with super().progress(what, unit=unit, delay=delay) as heard:

            def move(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)
                heard(done, total)

            try:
                yield move
            finally:
                bar.close()
