"""The command line: the Typer application and its entry point. Its commands use the public API."""

import os
import re
import sys
import warnings
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer
from typer.exceptions import TyperException

from mnistgen import InputError, MnistgenError, __version__
from mnistgen._errors import plain

LONGEST_LINE = 10_000  # characters
INTERRUPTED = 130  # exit code of Ctrl-C

EXAMPLES = (
    "mnistgen sample",
    "mnistgen sample -o grid.png -n 64 --seed 1",
    "mnistgen write 2026 -o number.png",
    "mnistgen dataset -o data",
)
# Phrases in messages of the library -> their equivalents on the command line.
PHRASES = {
    r"\bforce=True": "--force",
    'device="cpu"': "--device cpu",
    r"\blabels= takes": "mnistgen sample --label takes",
    r"generate them in batches with stream\(\)": "mnistgen dataset writes any number",
}
COMMANDS = ("pictures", "dataset", "models", "doctor")  # each module adds its commands; --help lists them in this order

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Generate MNIST-like handwritten digits in milliseconds.",
    epilog=f"Examples: {'; '.join(EXAMPLES)}",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mnistgen {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Global options."""


def main() -> None:
    """Run the command line. Errors are reported in one line on standard error.

    Exit codes: 0 success; 1 failure; 2 invalid usage or an invalid value; 130 Ctrl-C.
    """
    warnings.showwarning = _show_warning  # the process belongs to the command line
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for invalid file names, as on standard error
    command = get_command()
    try:
        code = command.main(prog_name="mnistgen", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        message = error.format_message()
        _fail(message, error.exit_code) if message else sys.exit(error.exit_code)  # without one, help was printed
    except InputError as error:
        _fail(_in_options(str(error), command), 2)
    except MnistgenError as error:
        _fail(_in_options(str(error), command), 1)
    except OSError as error:  # mostly of standard output: its reader has ended, or its disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # do not flush it again at exit
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        _fail(f"{error.filename or 'standard output'}: {error.strerror}", 1)
    if code == INTERRUPTED:
        _fail("interrupted", code)
    sys.exit(code)


def get_command() -> Any:
    """The command, with all its subcommands."""
    for name in COMMANDS:
        import_module(f"mnistgen.cli.{name}")
    return typer.main.get_command(app)


def say(line: str, file: TextIO | None = None) -> None:
    """Print a line with control characters escaped."""
    print(plain(line, LONGEST_LINE), file=file)


def _in_options(message: str, command: Any) -> str:
    """Replace parameters by command-line options in a message of the library."""
    for phrase, replacement in PHRASES.items():
        message = re.sub(phrase, replacement, message)
    name, colon, rest = message.partition(": ")
    chosen = command.commands.get(next(iter(sys.argv[1:]), None))
    parameters = chosen.params if chosen else []
    options = {it.name: max(it.opts, key=len) if it.opts[0].startswith("-") else it.metavar for it in parameters}
    known = options.get(name) and name not in sys.argv  # a file may have that name
    return f"{options[name]}{colon}{rest}" if colon and known else message


def _fail(message: str, code: int) -> None:
    say(f"mnistgen: {message}", sys.stderr)
    sys.exit(code)


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    say(f"mnistgen: {message}", sys.stderr)
