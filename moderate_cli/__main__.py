"""Run the command line as `python -m moderate_cli`."""

from moderate_cli.cli import main

if __name__ == "__main__":
    main()
