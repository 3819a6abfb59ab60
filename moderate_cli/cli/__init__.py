"""The command line: `moderate COMMAND`, its exit codes and signals."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType, TracebackType

import click

from moderate_cli.cli import console
from moderate_cli.cli.helping import Helped
from moderate_cli.cli.signals import Signals, Terminated
from moderate_cli.errors import ArgumentError, ModerateError, OptionError, UnreadableImages
from moderate_cli.platforms import BROKEN_PIPE, die_by
from moderate_cli.text import clipped, one_line, resembling, unknown
from moderate_cli.version import __version__

PROGRAM = "moderate"
COMPLETE = "_MODERATE_COMPLETE"  # by this variable a shell asks for completions

# Name -> the first line of its help, by kind. A command's module is loaded when the command is
# called, so that `moderate --help` does not wait for numpy.
GROUPS = {
    "Start": {
        "demo": "Make a small dataset, prune it, and report the result.",
        "suggest": "Look at a dataset, compare selections, and show the command to use.",
        "select": "Choose which images of a dataset to keep.",
        "report": "Write an HTML report of the selection.",
        "help": "Show a page of the documentation, or the help of a command.",
    },
    "Look": {
        "suspects": "List images that probably have a wrong label.",
        "duplicates": "List near duplicates of earlier images.",
        "score": "Print a score per image: the distance to its class center.",
        "info": "Show a dataset and all that is stored beside it.",
    },
    "Compare": {
        "evaluate": "Train a classifier on each selection and compare accuracies.",
        "perturb": "Make a noisy copy of a dataset, for experiments.",
    },
    "Store": {
        "backbones": "List the networks that compute features, for --backbone.",
        "embed": "Compute the features of a dataset and store them beside it.",
        "fit": "Train a network on a dataset, for features of its own.",
        "verify": "Check that a dataset has the images of a published selection.",
    },
}
COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}

# Names that people try -> the command that does it.
MEANT = {
    "choose": "select",
    "clean": "suspects",
    "compare": "evaluate",
    "coreset": "select",
    "dedup": "duplicates",
    "features": "embed",
    "prune": "select",
    "train": "fit",
}


class CommandTable(Helped, click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the commands near an unknown one."""
        unclear = args[0].startswith("-") or ctx.resilient_parsing
        if args[0] not in COMMANDS and not unclear:
            ctx.fail(f"command {unknown(args[0], [*COMMANDS, '--version'], meant=MEANT)}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Say that options of a command follow it."""
        command = next((word for word in args if word in COMMANDS), "COMMAND")
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = clipped(error.option_name)
            near = resembling(error.option_name, ["--help", "--version"], {})
            guess = f"did you mean {near[0]}?" if near else "options follow the command"
            after = "" if near else f": {PROGRAM} {command} {name}"
            raise click.UsageError(f"option {name} is unknown here; {guess}{after}", ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands before the options."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without loading a command."""
        for name, commands in GROUPS.items():
            with formatter.section(name):
                formatter.write_dl(list(commands.items()))

    def format_short_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first commands to know in full, and the names of the others."""
        self._write_purpose(ctx, formatter)
        start, *others = GROUPS
        with formatter.section(start):
            formatter.write_dl(list(GROUPS[start].items()))
        with formatter.section("Then"):
            formatter.write_dl([(name, ", ".join(GROUPS[name])) for name in others])
        self.format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("`moderate COMMAND -h` shows the common options of a command.")


EXAMPLES = (
    ("moderate select --ratio 0.3 data/train", "print the kept paths"),
    ("moderate select --ratio 0.3 data/train -o kept.txt", "write an index file"),
    ("moderate select --ratio 0.3 data/train --copy-to DIR", "copy the kept images"),
)


@click.command(cls=CommandTable, examples=EXAMPLES)
@click.version_option(__version__, message="moderate %(version)s")
def cli() -> None:
    """Shrink an image dataset to the part that is worth training on.

    DATA is a folder with one sub-folder per class. The first command on it computes the features of
    its images and stores them in DATA.moderate; later commands reuse them.
    """


_signals = Signals()


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, or by the signal."""
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
        _signals.received.append(BROKEN_PIPE)
    # After the except block: a traceback keeps objects alive that clean up when they are released.
    if _signals.received:
        if _signals.received[0] != BROKEN_PIPE:
            console.say_interrupted()
        console.discard(sys.stdout)
        die_by(_signals.received[0])  # so that the caller sees why
    console.flush()
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
    """Run click, without its own handling of closed pipes and of the end of a file."""
    completing = os.environ.get(COMPLETE)
    if completing:
        from click.shell_completion import add_completion_class, shell_complete

        from moderate_cli.cli.bash_words import BashWords

        add_completion_class(BashWords)
        return shell_complete(cli, {}, PROGRAM, COMPLETE, completing)
    try:
        with cli.make_context(PROGRAM, args, color=console.colored(sys.stdout)) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> int:
    """Print an error in one line, or one per unreadable file; return the exit status."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            console.tell(f"{console.fit_for(sys.stderr, error.format_message())}\n")
            return error.exit_code
        case click.UsageError():
            command = error.ctx.command_path if error.ctx is not None else PROGRAM
            console.error(f"{_message(error)} (see '{command} --help')")
            return 2
        case click.ClickException():
            console.error(error.format_message())
            return error.exit_code
        case OptionError():
            command = f"{PROGRAM} {_command_of(error)}"
            console.error(f"{error.spelled(_spelled)} (see '{command} --help')")
            return 2
        case ArgumentError():
            console.error(str(error))
            return 2
        case UnreadableImages():
            for path, reason in error.reasons.items():
                console.error(f"{path}: {reason}")
            console.error(str(error))
            return 1
        case ModerateError():
            console.error(str(error))
            return 1
        case ImportError() if any(sign in str(error) for sign in NO_ROOM):
            console.error(
                f"not enough memory to load a library ({one_line(error)}); raise the limit, e.g."
                " ulimit -v unlimited"
            )
            return 1
        case MemoryError():
            work, advice = _work(error)
            console.error(f"out of memory in {work}; {advice}")
            return 1
        case console.StdoutError():
            console.discard(sys.stdout)
            console.error(str(error))
            return 1
        case OSError():
            reason = error.strerror or one_line(error)
            if isinstance(error.filename, (str, bytes)):
                console.error(f"{os.fsdecode(error.filename)}: {reason}")
            else:
                console.error(f"{_work(error)[0]}: stopped by a system error ({reason})")
            return 1
    raise error


def _message(error: click.UsageError) -> str:
    """Return the message of click as ours are: the option or argument, and the fact."""
    if not isinstance(error, click.BadParameter) or error.param is None or error.param_hint:
        return error.format_message()
    param = error.param
    option = isinstance(param, click.Option)
    name = max(param.opts, key=len) if option else (param.metavar or param.name or "").strip("[]")
    return f"{name if option else name.upper()}: {error.message}"


# Errors of the linker of Linux, as under a low `ulimit -v`.
NO_ROOM = ("failed to map segment", "annot allocate memory", "cannot create shared object")


def _spelled(name: str, value: object) -> str:
    """Return an option as written on the command line, with its value if there is one."""
    from fractions import Fraction  # with decimal; `moderate --help` needs neither

    if name == "data" or name in COMMANDS:
        return name.upper() if name == "data" else name
    long = f"--{name.replace('_', '-')}"
    if isinstance(value, Fraction):
        from moderate_cli.selection.counts import written

        value = written(value)
    return long if value is None else f"{long} {value}"


# Part of the work -> how it needs less memory.
NEEDS = {
    "embedding": "a smaller --batch-size and fewer --workers need less",
}


def _work(error: Exception) -> tuple[str, str]:
    """Return the part of the work that failed, and how it needs less memory."""
    names = _modules(error)
    for name, advice in NEEDS.items():
        if name in names:
            return name, advice
    return _command_of(error), "run it on a machine with more free memory"


def _command_of(error: Exception) -> str:
    return next((name for name in _modules(error) if name in COMMANDS), PROGRAM)


def _modules(error: Exception) -> list[str]:
    """Return the names of rooms and modules that an error passed through, outermost first."""
    modules = [frame.f_globals.get("__name__", "").split(".") for frame in _passed(error)]
    return [name for package, *rest in modules if package == "moderate_cli" for name in rest]


def _is_of_echo(error: OSError) -> bool:
    """Whether click failed to write to stdout, e.g. help."""
    return any(frame.f_code is click.echo.__code__ for frame in _passed(error))


def _passed(error: Exception) -> list[FrameType]:
    """Return the frames that an error passed through."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an unexpected error with its traceback, and ask to report it."""
    console.tell("".join(traceback.format_exception(kind, error, trace)))
    console.error("unexpected error; please report it, with the lines above")
    console.flush()
