"""How far an evaluation is, in training steps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.listening import Listener, Move
from moderate_cli.notices import Notice


class Steps:
    """Counts the steps of all classifiers; a linear probe is one step.

    Parameters
    ----------
    cells
        Number of selections to judge.
    recipe
        How networks are trained; None for probes.
    listener
        Hears how far it is, and what is kept if the user stops it.
    keeps
        Whether results are kept.
    """

    def __init__(
        self, cells: int, recipe: Recipe | None, listener: Listener, *, keeps: bool = True
    ) -> None:
        self._each = 1 if recipe is None else recipe.steps
        self._cells, self._finished, self._done = cells, 0, 0
        self._unit = "selection" if recipe is None else "step"
        self._listener, self._keeps = listener, keeps
        self._move: Move = lambda _done, _total: None

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Tell the listener, for as long as the context lasts."""
        with self._listener.progress("evaluate", unit=self._unit) as self._move:
            self._move(0, self._cells * self._each)
            try:
                yield
            except BaseException as error:
                if self._keeps and not isinstance(error, Exception):  # the user stops it
                    self._listener.notice(
                        Notice("interrupted evaluation", self._finished, self._cells)
                    )
                raise

    def count(self) -> None:
        """Count a step."""
        self._done += 1
        self._move(self._done, self._cells * self._each)

    def finish_cell(self) -> None:
        """Count a selection as judged, with its step if that was not counted."""
        self._finished += 1
        if self._done < self._finished * self._each:
            self._done = self._finished * self._each - 1
            self.count()
