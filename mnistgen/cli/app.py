"""The application that commands are added to, and its entry point."""

import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from mnistgen import __version__
from mnistgen.errors import InputError, MnistgenError, OutputError

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
    """The entry point: every mistake ends in one line on standard error, with exit code 1, or 2 for wrong usage."""
    warnings.showwarning = _show_warning  # only here, in a process of our own
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
    except BrokenPipeError:  # whoever read standard output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(str(OutputError(f"standard output: {error.strerror}")), 1)
    except (Abort, KeyboardInterrupt):
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> None:
    print(f"mnistgen: {message}", file=sys.stderr)
    sys.exit(code)


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    print(f"mnistgen: {message}", file=sys.stderr)
