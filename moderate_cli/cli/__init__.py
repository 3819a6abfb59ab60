"""The command line: `moderate COMMAND`, its exit codes and signals."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from moderate_cli.cli import console
from moderate_cli.errors import ArgumentError, ModerateError, UnreadableImages

# Name -> what it does, the first line of its help. A command's module is loaded when it is called,
# so that `moderate --help` waits for no numpy.
COMMANDS = {
    "select": "Choose which images of a dataset to keep.",
    "embed": "Write the features of a dataset's images beside it.",
    "score": "Write the distance of each image to its class center.",
    "report": "Make a page that shows what is kept and why.",
    "suspects": "List images that probably have a wrong label.",
    "evaluate": "Compare strategies by what a classifier learns from what they keep.",
    "perturb": "Make a copy of a dataset with wrong labels and ruined pictures.",
    "duplicates": "List images that are nearly the same as an earlier one.",
    "info": "Show what the feature sets of a dataset hold.",
    "demo": "Make a small dataset, prune it, and say what became of it.",
}


class CommandTable(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without loading a command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"moderate {version('moderate-cli')}")
        ctx.exit()


@click.command(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Shrink an image dataset to the part that is worth training on.

    \b
      moderate select --ratio 0.3 data/train                 kept paths on stdout
      moderate select --ratio 0.3 data/train -o kept.txt     an index file
      moderate select --ratio 0.3 data/train --copy-to DIR   a pruned ImageFolder

    DATA is a folder with one sub-folder per class. Features and scores that are missing or out of
    date are computed first and kept in DATA.moderate, beside DATA.
    """  # noqa: D301 - click takes a real backspace for "do not wrap"


MOMENT = 0.01  # seconds


class Terminated(BaseException):
    """A signal arrived that ends the command."""


class _Signals:
    """Signals that arrived.

    The exception that one raises may come out as another one, or not at all, of a library that it
    fell into; so they are noted, too.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self.interrupting = True

    def arrive(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal, and end the command if it still runs."""
        self.received.append(number)
        self.interrupt(number)

    def interrupt(self, _number: int, _frame: FrameType | None = None) -> None:
        """End the command if it still runs."""
        if self.interrupting:
            raise Terminated

    def try_again(self, swallowed: sys.UnraisableHookArgs) -> None:
        """Where no exception can pass, as in a finalizer, interrupt a moment later."""
        if isinstance(swallowed.exc_value, Terminated):
            signal.setitimer(signal.ITIMER_REAL, MOMENT)
        else:
            sys.__unraisablehook__(swallowed)


_signals = _Signals()


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 could not, 2 wrong usage, or by the signal."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A signal that the parent ignores, as nohup does, stays ignored.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _signals.arrive)
    signal.signal(signal.SIGALRM, _signals.interrupt)
    sys.unraisablehook = _signals.try_again
    status = 0
    try:
        try:
            status = _run(args)
        finally:
            _signals.interrupting = False
    except Terminated:
        pass
    except (click.Abort, KeyboardInterrupt):
        _signals.received.append(signal.SIGINT)
    except console.StdoutClosed:
        _signals.received.append(signal.SIGPIPE)
    # Out of the except block, for a traceback holds what is only cleaned up when it is let go.
    if _signals.received:
        _die_by(_signals.received[0])
    sys.exit(status)


def _run(args: Sequence[str] | None) -> int:
    try:
        result = cli.main(args, prog_name="moderate", standalone_mode=False)
        console.write(b"")
        return result if isinstance(result, int) else 0
    except (click.Abort, console.StdoutClosed):
        raise
    except Exception as error:
        if _signals.received:
            raise Terminated from None
        return _explain(error)


def _explain(error: Exception) -> int:
    """Say in one line, or one for each file, what went wrong; return the exit status."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.UsageError():
            command = error.ctx.command_path if error.ctx is not None else "moderate"
            console.note(f"{error.format_message()} (see '{command} --help')")
            return 2
        case click.ClickException():
            console.note(error.format_message())
            return error.exit_code
        case ArgumentError():
            console.note(str(error))
            return 2
        case UnreadableImages():
            for path, reason in error.reasons.items():
                console.note(f"{path}: {reason}")
            console.note(str(error))
            return 1
        case ModerateError():
            console.note(str(error))
            return 1
        case MemoryError():
            console.note("out of memory; a smaller --batch-size and fewer --workers take less")
            return 1
        case console.StdoutError():
            _discard_stdout()
            console.note(str(error))
            return 1
        case OSError():
            if error.filename is None:  # help, which click writes, on a full disk
                _discard_stdout()
            name = "stdout" if error.filename is None else os.fsdecode(error.filename)
            console.note(f"{name}: {error.strerror or error}")
            return 1
    raise error


def _die_by(number: int) -> None:
    """End as the signal would have ended us, so that the caller sees why."""
    _discard_stdout()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _discard_stdout() -> None:
    """What could not be written must not be tried again when the interpreter exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
