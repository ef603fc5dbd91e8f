"""How the scripts start and end: whatever goes wrong is one line on standard error, from their first import on."""

import os
import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

from mnistgen._errors import MnistgenError
from mnistgen._interruption import Interrupted, exit_code, handle_signals


def run(module: str) -> NoReturn:
    """Import a script by its module's name, call its `main` with the arguments of the command line, and exit.

    With 1 after an error, 2 after wrong usage, and 128 and the signal's number after a signal.
    """
    name = f"{module.rpartition('.')[2]}.py"

    def say(message: object) -> None:
        print(f"{name}: {MnistgenError(str(message))}", file=sys.stderr)

    def show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
        say(message)

    handle_signals()
    warnings.showwarning = show_warning
    interrupted = "interrupted; nothing was begun"
    try:
        import typer

        main = import_module(module).main
        interrupted = "interrupted"
        typer.run(main)
        sys.exit()
    except SystemExit:
        raise
    except BaseException as error:
        if code := exit_code():  # whatever the signal made fail
            if os.environ.get("RANK", "0") == "0":  # of torchrun's processes, which all get it, one speaks
                say(str(error) if isinstance(error, Interrupted) and str(error) else interrupted)
            sys.exit(code)
        if isinstance(error, OSError):
            say(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        elif isinstance(error, MnistgenError):
            say(error)
        else:
            raise
        sys.exit(1)
