"""Trials that end as badly as a trial can, by which the tests see that each such end is a defect."""

import os
import random
import time
import warnings
from contextlib import suppress
from pathlib import Path

from mnistgen._errors import InputError
from tests.faults.trials import Outcome, call_problem


def crashes(source: random.Random, place: Path) -> Outcome:
    os.abort()


def raises(source: random.Random, place: Path) -> Outcome:
    raise KeyError("counts")


def takes_memory(source: random.Random, place: Path) -> Outcome:
    return Outcome(str(len(bytes([1]) * (1100 << 20))))


def writes_outside(source: random.Random, place: Path) -> Outcome:
    with suppress(OSError):
        Path(__file__).with_name("written").write_text("")
    return Outcome("")


def removes_outside(source: random.Random, place: Path) -> Outcome:
    with suppress(OSError):
        (place.parents[2] / "other").unlink()
    return Outcome("")


def never_ends(source: random.Random, place: Path) -> Outcome:
    while True:
        time.sleep(1)


def raises_foreign(source: random.Random, place: Path) -> Outcome:
    return Outcome("", call_problem(lambda: [][0]))


def raises_two_lines(source: random.Random, place: Path) -> Outcome:
    def call() -> None:
        error = InputError("n")
        error.args = ("one\ntwo",)
        raise error

    return Outcome("", call_problem(call))


def warns(source: random.Random, place: Path) -> Outcome:
    return Outcome("", call_problem(lambda: warnings.warn("invalid value in cast", RuntimeWarning, stacklevel=1)))
