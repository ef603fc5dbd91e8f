"""The entry point of the scripts: reports errors, warnings and signals in one line on standard error."""

import os
import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

from mnistgen._errors import MnistgenError
from training.interruption import Interrupted, exit_code, handle_signals


def run(module: str) -> NoReturn:
    """Import a script by module name, call its `main` with the command-line arguments, and exit.

    The exit code is 1 after an error, 2 after wrong usage, and 128 + N after signal N.
    """
    name = f"{module.rpartition('.')[2]}.py"

    def report(message: object, *_: Any, **__: Any) -> None:
        print(f"{name}: {MnistgenError(str(message))}", file=sys.stderr)

    handle_signals()
    warnings.showwarning = report
    interrupted = "interrupted; nothing was written"
    try:
        import typer

        main = import_module(module).main
        interrupted = "interrupted"
        typer.run(main)
        sys.exit()
    except SystemExit:
        raise
    except BaseException as error:
        if code := exit_code():  # after a signal, whichever exception it caused
            if os.environ.get("RANK", "0") == "0":  # torchrun forwards the signal to all processes; one reports it
                report(str(error) if isinstance(error, Interrupted) and str(error) else interrupted)
            sys.exit(code)
        if isinstance(error, OSError):
            report(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        elif isinstance(error, MnistgenError):
            report(error)
        else:
            raise
        sys.exit(1)
