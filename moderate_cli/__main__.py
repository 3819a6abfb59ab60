"""Run the command line: as `moderate`, or as `python -m moderate_cli`."""

import os
import signal


def main() -> None:
    """Run the command line, and end the process."""
    # While it is loaded, Ctrl-C ends this process at once. Python's own way is a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Before numpy is loaded, which then starts no threads that nothing uses: see threads.py. Not
    # MKL_NUM_THREADS, from which torch takes the number of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from moderate_cli import cli

    try:
        cli.main()
    except SystemExit as end:
        # All is written, and files are closed. As it exits in its own way, Python looks through all
        # objects several times, which takes a second after torch.
        os._exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main()
