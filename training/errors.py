"""The exceptions of training, and how the scripts report them: in one line, as all subclasses of MnistgenError.

TrainingError
├── DataError        the images to train on are missing, damaged or too few
├── PresetError      an unknown preset, or an invalid value in one
├── CheckpointError  a checkpoint is damaged, or belongs to another preset
├── DivergedError    a loss became NaN or infinite
└── EvaluationError  a model cannot be evaluated, or its card cannot be written
"""

import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

from mnistgen._errors import MnistgenError


class TrainingError(MnistgenError):
    """Base class of all training errors."""


class DataError(TrainingError):
    """The images to train on are missing, damaged or too few."""


class PresetError(TrainingError):
    """An unknown preset, or an invalid value in one."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, or belongs to another preset."""


class DivergedError(TrainingError):
    """A loss became NaN or infinite."""


class EvaluationError(TrainingError):
    """A model cannot be evaluated, or its card cannot be written."""


def run_script(module: str) -> NoReturn:
    """Import a script by module name, call its `main` with the command-line arguments, and exit.

    The exit code is 1 after an error, 2 after wrong usage, and 130 after Ctrl-C.
    """
    name = f"{module.rpartition('.')[2]}.py"

    def report(message: object, *_: Any, **__: Any) -> None:
        print(f"{name}: {MnistgenError(str(message))}", file=sys.stderr)

    warnings.showwarning = report
    try:
        import typer

        typer.run(import_module(module).main)
        sys.exit()
    except (KeyboardInterrupt, SystemExit) as end:  # Typer turns the former into the latter
        interrupt = getattr(end.__context__, "__cause__", None) if isinstance(end, SystemExit) else end
        if not isinstance(interrupt, KeyboardInterrupt):
            raise
        report(f"interrupted{'; ' * bool(interrupt.args)}{interrupt}")
        sys.exit(130)
    except MnistgenError as error:
        report(error)
    except OSError as error:
        report(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    sys.exit(1)
