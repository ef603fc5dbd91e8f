"""Trials that fail in all ways that must be detected as defects."""

import os
import random
import time
import warnings
from contextlib import suppress
from pathlib import Path

from mnistgen._errors import InputError
from tests.faults.trials import Outcome, call_problem


def crashes(source: random.Random, workdir: Path) -> Outcome:
    os.abort()


def raises(source: random.Random, workdir: Path) -> Outcome:
    raise KeyError("counts")


def takes_memory(source: random.Random, workdir: Path) -> Outcome:
    return Outcome(str(len(bytes([1]) * (1100 << 20))))


def writes_outside(source: random.Random, workdir: Path) -> Outcome:
    with suppress(OSError):
        Path(__file__).with_name("written").write_text("")
    return Outcome("")


def removes_outside(source: random.Random, workdir: Path) -> Outcome:
    with suppress(OSError):
        (workdir.parents[2] / "other").unlink()
    return Outcome("")


def never_ends(source: random.Random, workdir: Path) -> Outcome:
    while True:
        time.sleep(1)


def raises_other_type(source: random.Random, workdir: Path) -> Outcome:
    return Outcome("", call_problem(lambda: [][0]))


def raises_two_lines(source: random.Random, workdir: Path) -> Outcome:
    def call() -> None:
        error = InputError("n")
        error.args = ("one\ntwo",)
        raise error

    return Outcome("", call_problem(call))


def warns(source: random.Random, workdir: Path) -> Outcome:
    return Outcome("", call_problem(lambda: warnings.warn("invalid value in cast", RuntimeWarning, stacklevel=1)))
