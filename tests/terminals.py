"""Commands on a terminal of their own."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

PLAIN = {"MODERATE_BACKBONE": "pixels", "MODERATE_DTYPE": "float32", "MODERATE_RUNTIME": "torch"}


def on_a_terminal(line, folder, **variables):
    """Run a line of bash with both outputs on a terminal; return its status and its text."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | PLAIN | {"PATH": path} | variables
    environment.pop("TQDM_DISABLE", None)
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    process = subprocess.Popen(
        ["bash", "-c", line], cwd=folder, env=environment,
        stdin=writer, stdout=writer, stderr=writer,
    )  # fmt: skip
    os.close(writer)
    content = b""
    try:
        while some := os.read(reader, 65536):
            content += some
    except OSError:  # all have closed it
        pass
    os.close(reader)
    return process.wait(), os.fsdecode(content).replace("\r\n", "\n")
