"""Trials and their criterion: any input gives a valid result, a one-line message or a MnistgenError."""

import io
import os
import random
import re
import runpy
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from mnistgen._errors import MnistgenError

LONGEST = 1000  # maximum characters of a line on standard error
CODES = (0, 1, 2)
ESCAPED = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")  # escapes of non-ASCII characters
FAILED = 70  # exit code for an unhandled exception


class Outcome(NamedTuple):
    """The description of a trial, and the problem that it found, if any."""

    tried: str
    problem: str = ""


Trial = Callable[[random.Random, Path], Outcome]  # runs in an empty current folder; all random choices use the source


class Ended(NamedTuple):
    """The result of a command; the code is negative if a signal killed it."""

    code: int
    out: str
    err: str


def command(*arguments: object, encoding: str = "utf-8") -> Ended:
    """Run `mnistgen ARGUMENTS` in this process."""
    return script(mnistgen, "mnistgen", *arguments, encoding=encoding)


def mnistgen() -> None:
    """Run `python -m mnistgen` with sys.argv."""
    runpy.run_module("mnistgen", run_name="__main__")


def script(main: Callable[[], None], *argv: object, encoding: str = "utf-8") -> Ended:
    """Run a program in this process, with real files for its output."""
    with (
        tempfile.TemporaryFile(dir=os.curdir) as out,
        tempfile.TemporaryFile(dir=os.curdir) as err,
        mock.patch.object(sys, "argv", [*map(str, argv)]),
        mock.patch.object(sys, "path", [*sys.path]),
        mock.patch.object(sys, "stdout", io.TextIOWrapper(out, encoding)),
        mock.patch.object(sys, "stderr", io.TextIOWrapper(err, encoding, errors="backslashreplace")),
        mock.patch.object(warnings, "showwarning", warnings.showwarning),
        _restored_handlers(),
    ):
        try:
            code = exit_code(main)
        except Exception as error:  # noqa: BLE001 - unhandled: the traceback, in one line
            return Ended(FAILED, "", described(error))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read().decode(errors="replace"), err.read().decode(errors="replace"))


def exit_code(main: Callable[[], None]) -> int:
    """Run a program's main function and return the exit code of the process."""
    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


@contextmanager
def _restored_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def command_problem(ended: Ended, codes: Collection[int] = CODES, prefix: str = "mnistgen: ") -> str:
    """The problem with the result of a command, or an empty string."""
    lines = ended.err.splitlines()
    result = f"exit code {ended.code}: {ended.err[-500:]!r}"
    if ended.code == FAILED:
        return ended.err
    if ended.code not in codes:
        return f"expected exit code {' or '.join(map(str, codes))}, got {result}"
    if ended.code > 0 and not lines:
        return f"fails without a message, {result}"
    if len(lines) > 1 or not all(line.startswith(prefix) and len(ESCAPED.sub("?", line)) <= LONGEST for line in lines):
        return f"expected at most one line that starts with {prefix!r}, got {result}"
    if odd := {character for character in ended.out + ended.err if not (character.isprintable() or character == "\n")}:
        return f"prints unescaped {sorted(odd)!r}, {result}"
    return ""


def call_problem(call: Callable[[], Any], errors: type[Exception] = MnistgenError) -> str:
    """The problem with a call, or an empty string: other exceptions than `errors` with one line, or warnings."""
    with warnings.catch_warnings(record=True) as warned:
        try:
            call()
        except errors as error:
            text = str(error)
            if len(text) > LONGEST or not text.isprintable() or not text:
                return f"expected an error of one line, got {text[:LONGEST]!r}"
        except Exception as error:  # noqa: BLE001 - unexpected exceptions are defects
            return described(error)
    return next((f"warns: {warning.category.__name__} {warning.message}" for warning in warned), "")


def described(error: BaseException) -> str:
    """An exception with its last stack frames in one line."""
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:]]
    try:
        text = repr(error)[:300]
    except Exception:  # noqa: BLE001 - of numbers that are too long to print, and broken objects
        text = type(error).__name__
    return f"raises {text} at {' > '.join(places)}"


def contents(folder: Path) -> dict[str, bytes]:
    """The contents of all files in a folder, by relative path; empty if it does not exist."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
