"""Run the command line: as `moderate`, or as `python -m moderate_cli`."""

import signal


def main() -> None:
    """Run the command line, and exit."""
    # While it is loaded, Ctrl-C ends this process at once. Python's own way is a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from moderate_cli import cli

    cli.main()


if __name__ == "__main__":
    main()
