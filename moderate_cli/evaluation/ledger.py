"""The ledger: finished cells of evaluations in a file, so that none is run twice."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moderate_cli.evaluation.cells import Cell, Result
from moderate_cli.files.regular import read_regular
from moderate_cli.platforms import APPEND
from moderate_cli.selection import exact, written


class Ledger:
    """Results in a file, one JSON object per line; a damaged line is run again.

    Parameters
    ----------
    path
        The file, created with the first result; None keeps nothing.
    context
        Everything else that results depend on: data, classifier, test set, options.
    test
        Name of the test set, for readers; "" takes the last one in the file.
    """

    def __init__(self, path: Path | None, context: Mapping[str, Any], test: str = "") -> None:
        self._path, self._named, self.test = path, test, test
        self._context = json.dumps(context, sort_keys=True)
        self.results: dict[Cell, Result] = {}
        if path is not None:
            with contextlib.suppress(OSError):
                for line in read_regular(path).splitlines():
                    with contextlib.suppress(ValueError, TypeError, KeyError):
                        self._take(json.loads(line))

    def add(self, cell: Cell, result: Result) -> None:
        """Keep a result; if the file cannot be written, the cell is run again next time."""
        self.results[cell] = result
        if self._path is None:
            return
        entry = {"context": self._context, "cell": list(cell), "result": list(result)}
        if self._named:
            entry["test"] = self._named
        # A single write at the end of the file, so that two runs at once do not mix lines.
        with contextlib.suppress(OSError):
            file = os.open(self._path, APPEND, 0o666)
            try:
                os.write(file, f"\n{json.dumps(entry)}\n".encode())
            finally:
                os.close(file)

    def _take(self, entry: dict[str, Any]) -> None:
        if entry["context"] == self._context:
            strategy, ratio, drop_suspects, seed, quantile = entry["cell"]
            images, accuracy, worst_class = entry["result"]
            # Earlier versions wrote the same numbers in other ways.
            dropped = drop_suspects if drop_suspects in ("", "auto") else written(drop_suspects)
            where = written(quantile)
            cell = Cell(str(strategy), written(ratio), dropped, int(seed), where)
            result = Result(int(images), float(accuracy), float(worst_class))
            shares = (exact(cell.ratio), exact(where), result.accuracy, result.worst_class)
            if all(0 <= share <= 1 for share in shares):
                self.results[cell] = result
                if not self._named:
                    self.test = str(entry.get("test", self.test))


def ledgers(path: Path) -> list[tuple[Mapping[str, Any], Ledger]]:
    """Return the contexts of a file, each with its ledger, in the order of their results."""
    found: dict[str, Mapping[str, Any]] = {}
    with contextlib.suppress(OSError):
        for line in read_regular(path).splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                text = json.loads(line)["context"]
                context = json.loads(text)
                if isinstance(context, dict):
                    found[text] = context
    return [(context, Ledger(path, context)) for context in found.values()]
