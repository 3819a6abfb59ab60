"""`moderate --help` is there at once."""

import resource
import subprocess
import sys

SHARE = 1.6  # of the time of `import click`, the interpreter included
TRIALS = 10


def spent(*command):
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_takes_hardly_longer_than_to_import_click():
    # By turns, and the minimum of each, so that other work on the computer affects both alike.
    pairs = [
        (spent("-m", "moderate_cli", "--help"), spent("-c", "import click")) for _ in range(TRIALS)
    ]
    help_, click = map(min, zip(*pairs, strict=True))
    assert help_ <= SHARE * click, f"{help_ / click:.2f} times"
