"""Listeners: silent, recording, with bars."""

import pytest

import moderate_cli
from moderate_cli.listening import SILENT, Bars, Listener, Recorder
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


def test_bars_show_the_work(data, capsys):
    moderate_cli.embed(data, listener=Bars(), **PIXELS)
    out, err = capsys.readouterr()
    assert out == ""
    assert "embed: 100%" in err
    assert "8/8" in err


def test_without_a_listener_nothing_is_printed(data, capfd):
    moderate_cli.select(data, ratio=0.5, **PIXELS)
    assert capfd.readouterr() == ("", "")
