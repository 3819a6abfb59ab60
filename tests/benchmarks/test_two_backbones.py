"""The comparison of two backbones, in miniature."""

from click.testing import CliRunner

from tests.benchmarks import two_backbones
from tests.benchmarks.two_backbones import JOINED, RANKED, main


def test_every_way_has_its_figures(pictures, monkeypatch):
    monkeypatch.setattr(two_backbones, "BACKBONES", ways := ("pixels", "efficientnet_lite0"))
    args = ["tiny", pictures, pictures, "--seeds", "2", "--per-class", "4", "--test-per-class", "2"]
    done = CliRunner().invoke(main, list(map(str, args)))
    assert done.exception is None, done.output
    rows = [line.split(" | ") for line in done.output.splitlines() if line.startswith("| tiny")]
    filled = {way: [bool(cell.strip(" |")) for cell in cells] for _, way, *cells in rows}
    assert filled == {
        **dict.fromkeys((*ways, JOINED), [True] * 6),
        RANKED: [False, False, True, False, True, False],
        "random selection": [False, False, False, True, False, True],
    }
