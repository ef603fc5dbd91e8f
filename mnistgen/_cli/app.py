"""The application that commands are added to, and its entry point."""

import os
import sys
import warnings
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer
from typer.exceptions import TyperException

from mnistgen import __version__
from mnistgen._errors import InputError, MnistgenError, plain
from mnistgen._interruption import Interrupted, exit_code

LONGEST = 10_000  # characters of a line

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="An endless MNIST in a small wheel: sample handwritten digits from small generators.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mnistgen {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """What stands before any command."""


def main() -> None:
    """Run the command line: errors are one line on standard error, with exit code 1, or 2 for wrong usage."""
    warnings.showwarning = _show_warning  # only here, in a process of our own
    _replace_closed_streams()
    try:
        code = typer.main.get_command(app).main(prog_name="mnistgen", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except InputError as error:
        _fail(str(error), 2)
    except MnistgenError as error:
        _fail(str(error), 1)
    except MemoryError:
        _fail("out of memory; ask for less at once", 1)
    except OSError as error:
        if not error.filename:  # standard output: nobody reads it, or its disk is full; it is not to be tried again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        _fail(f"{error.filename or 'standard output'}: {error.strerror}", 1)
    except Interrupted as error:
        _fail(str(error) or "interrupted", exit_code())


def _replace_closed_streams() -> None:
    """Put something in the place of streams that the caller closed, so that no file becomes standard output."""
    for number, name, mode in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None and os.open(os.devnull, mode) == number:  # read only: what is printed fails
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does, for names that are no text


def say(line: str, file: TextIO | None = None) -> None:
    """Print a line, whatever the names in it hold."""
    print(plain(line, LONGEST), file=file)


def _fail(message: str, code: int) -> None:
    if (interrupted := exit_code()) and interrupted != code:
        message, code = "interrupted", interrupted  # whatever the signal made fail
    say(f"mnistgen: {message}", sys.stderr)
    sys.exit(code)


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    say(f"mnistgen: {message}", sys.stderr)
