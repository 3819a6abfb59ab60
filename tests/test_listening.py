"""Listeners: silent, recording, with bars."""

from contextlib import contextmanager

import numpy as np
import pytest

import moderate_cli
from moderate_cli.listening import SILENT, Listener, Recorder, with_bars
from moderate_cli.notices import Notice, Timing

PIXELS = {"backbone": "pixels", "runtime": "torch"}


class Heard(Listener):
    """Notes every call by its name."""

    def __init__(self):
        self.calls = []

    def progress(self, what, **how):
        self.calls.append((what, how))
        return SILENT.progress(what, **how)

    def listed(self, dataset, **how):
        self.calls.append(("listed", len(dataset), how))

    def notice(self, notice):
        self.calls.append(notice)

    def timed(self, timing):
        self.calls.append(timing)


def test_a_recorder_passes_all_on_and_keeps_the_notices(data):
    heard = Heard()
    recorder = Recorder(heard)
    dataset, timing = moderate_cli.scan(data), Timing(1, 2.0, 0.1, 0.2, 0.3, 0.4, 2)
    with recorder.progress("embed", unit="block", delay=2.0) as move:
        move(1, 2)
    recorder.listed(dataset, name="data", store=data, clustered=True)
    recorder.notice(Notice("duplicates", 1, 2))
    recorder.timed(timing)
    assert heard.calls == [
        ("embed", {"unit": "block", "delay": 2.0}),
        ("listed", 8, {"name": "data", "store": data, "clustered": True}),
        Notice("duplicates", 1, 2),
        timing,
    ]
    assert recorder.notices == [Notice("duplicates", 1, 2)]


def test_a_listener_hears_of_the_dataset_before_it_is_embedded_and_may_stop_it(data):
    class Stop(Listener):
        def listed(self, dataset, *, name, store, clustered=False):
            raise moderate_cli.ModerateError(f"{name}: {len(dataset)} images, {store.name}")

    with pytest.raises(moderate_cli.ModerateError, match=r"train: 8 images, train\.moderate$"):
        moderate_cli.select(data, ratio=0.5, listener=Stop(), **PIXELS)
    assert [path.name for path in data.parent.iterdir()] == ["train"]


LONG = {
    "embed": lambda data, out, **how: moderate_cli.embed(data, **how, **PIXELS),
    "select": lambda data, out, **how: moderate_cli.select(data, ratio=0.5, **how, **PIXELS),
    "score": lambda data, out, **how: moderate_cli.score(data, **how, **PIXELS),
    "suspects": lambda data, out, **how: moderate_cli.suspects(data, **how, **PIXELS),
    "duplicates": lambda data, out, **how: moderate_cli.duplicates(data, **how, **PIXELS),
    "report": lambda data, out, **how: moderate_cli.report(data, out / "r.html", **how, **PIXELS),
    "evaluate": lambda data, out, **how: moderate_cli.evaluate(
        data, strategy="easy", ratio=0.5, seeds=1, **how, **PIXELS
    ),
    "fit": lambda data, out, **how: moderate_cli.fit(data, network="cnn", epochs=1, **how),
    "perturb": lambda data, out, **how: moderate_cli.perturb(data, out / "p", corrupt=0.5, **how),
    "export": lambda data, out, **how: moderate_cli.export(
        data, np.ones(8, dtype=bool), out / "copy", **how
    ),
}
WORK = {"fit": "fit", "perturb": "perturb", "export": "copy"}  # the others embed


@pytest.mark.parametrize("name", LONG)
def test_bars_show_the_work_beside_a_listener(data, tmp_path, capsys, name):
    heard = Heard()
    LONG[name](data, tmp_path, progress=True, listener=heard)
    out, err = capsys.readouterr()
    work = WORK.get(name, "embed")
    assert out == ""
    assert f"{work}: 100%" in err
    assert work in [call[0] for call in heard.calls if isinstance(call, tuple)]


def test_a_listener_hears_the_same_moves_as_the_bars():
    class Moved(Listener):
        moves = ()

        @contextmanager
        def progress(self, what, **how):
            yield self.move

        def move(self, done, total):
            self.moves += ((done, total),)

    listener = Moved()
    with with_bars(listener, progress=True).progress("work") as move:
        move(1, 2)
        move(2, 2)
    assert listener.moves == ((1, 2), (2, 2))
    assert with_bars(listener, progress=False) is listener


def test_verify_shows_a_bar(data, tmp_path, capsys):
    made = moderate_cli.select(data, ratio=0.5, **PIXELS)
    kept = tmp_path / "kept.json"
    moderate_cli.write_index(kept, made.scores, made.mask, recipe=made.recipe)
    moderate_cli.verify(kept, data, progress=True)
    assert "verify: 100%" in capsys.readouterr().err


def test_without_a_listener_nothing_is_printed(data, capfd):
    moderate_cli.select(data, ratio=0.5, **PIXELS)
    assert capfd.readouterr() == ("", "")
