"""The command line: `moderate COMMAND`, its exit codes and signals."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType, TracebackType

import click

from moderate_cli.cli import console
from moderate_cli.errors import ArgumentError, ModerateError, UnreadableImages
from moderate_cli.text import one_line

PROGRAM = "moderate"
COMPLETE = "_MODERATE_COMPLETE"  # by this variable a shell asks for completions

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

    def listen(self) -> None:
        """Note signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A signal that the parent ignores, as nohup does, stays ignored.
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, self.arrive)
        signal.signal(signal.SIGALRM, self.interrupt)

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
    console.open_closed()
    sys.excepthook = _report
    sys.unraisablehook = _signals.try_again
    status = 0
    try:
        try:
            _signals.listen()
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
    console.flush()
    # As it exits Python looks through all objects, several times; after torch that takes a second.
    gc.freeze()
    sys.exit(status)


def _run(args: Sequence[str] | None) -> int:
    try:
        status = _invoke(sys.argv[1:] if args is None else list(args))
        console.write(b"")
        return status
    except (click.Abort, console.StdoutClosed):
        raise
    except Exception as error:
        if _signals.received:
            raise Terminated from None
        if not (isinstance(error, OSError) and _is_of_echo(error)):
            return _explain(error)
        unwritten = console.unwritten(error)
    if isinstance(unwritten, console.StdoutClosed):
        raise unwritten
    return _explain(unwritten)


def _invoke(args: list[str]) -> int:
    """Do what click does, but for its own ways with a closed pipe and the end of a file."""
    completing = os.environ.get(COMPLETE)
    if completing:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, PROGRAM, COMPLETE, completing)
    try:
        with cli.make_context(PROGRAM, args) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> int:
    """Say in one line, or one for each file, what went wrong; return the exit status."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            console.tell(f"{error.format_message()}\n")
            return error.exit_code
        case click.UsageError():
            command = error.ctx.command_path if error.ctx is not None else PROGRAM
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
            work, advice = _work(error)
            console.note(f"out of memory in {work}; {advice}")
            return 1
        case console.StdoutError():
            console.discard(sys.stdout)
            console.note(str(error))
            return 1
        case OSError():
            reason = error.strerror or one_line(error)
            if isinstance(error.filename, (str, bytes)):
                console.note(f"{os.fsdecode(error.filename)}: {reason}")
            else:
                console.note(f"{_work(error)[0]}: stopped by an error of the system ({reason})")
            return 1
    raise error


# What works -> what makes it need less memory.
NEEDS = {
    "embedding": "a smaller --batch-size and fewer --workers need less",
}


def _work(error: Exception) -> tuple[str, str]:
    """Return what was being done, and how it needs less memory."""
    modules = [frame.f_globals.get("__name__", "").split(".") for frame in _passed(error)]
    names = [name for package, *rest in modules if package == "moderate_cli" for name in rest]
    for name, advice in NEEDS.items():
        if name in names:
            return name, advice
    command = next((name for name in names if name in COMMANDS), PROGRAM)
    return command, "run it where more is free"


def _is_of_echo(error: OSError) -> bool:
    """Whether click could not write help, or something like it, to stdout."""
    return any(frame.f_code is click.echo.__code__ for frame in _passed(error))


def _passed(error: Exception) -> list[FrameType]:
    """Return the frames that an error came through."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what to do about an error that nobody thought of: where it was is what mends it."""
    console.tell("".join(traceback.format_exception(kind, error, trace)))
    console.note("unexpected error; please report it, with the lines above")
    console.flush()


def _die_by(number: int) -> None:
    """End as the signal would have ended us, so that the caller sees why."""
    console.discard(sys.stdout)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
