"""Listeners of tests."""

from contextlib import contextmanager

from moderate_cli.listening import Listener


class Told(Listener):
    """Passes on all that it is told, each to a function or a list.

    Moves go by the name of the work, as (done, total); `waiting` is told who is waited for.
    """

    def __init__(self, notice=(), waiting=(), timed=(), **moves):
        self._notice, self._waiting, self._timed, self._moves = notice, waiting, timed, moves

    @contextmanager
    def progress(self, what, **_how):
        yield lambda done, total: tell(self._moves.get(what, ()), done, total)

    def notice(self, notice):
        tell(self._notice, notice)
        if notice.kind == "waiting":
            tell(self._waiting, *notice.names)

    def timed(self, timing):
        tell(self._timed, timing)


def tell(somebody, *facts):
    if isinstance(somebody, list):
        somebody.append(facts if len(facts) > 1 else facts[0])
    elif somebody != ():
        somebody(*facts)
