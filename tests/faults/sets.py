"""The data sets of several harnesses: how they are asked for, what they must hold, and whether it is there whole."""

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Literal

import pyarrow

from tests.conftest import write_model
from tests.faults.processes import Fault, Forked, run
from tests.faults.trials import command_problem, contents

SIZES: Mapping[str, tuple[int, int, int]] = {  # format: digits of each split, and of a shard
    "idx": (1300, 200, 500),
    "npz": (1300, 200, 500),
    "png": (12, 5, 6),
    "parquet": (60, 20, 25),
    "webdataset": (40, 10, 15),
    "hf": (60, 20, 25),
}
OLD, NEW = 1, 2  # seeds
Arguments = tuple[object, ...]
_NEEDED = "PIL.PngImagePlugin", "mnistgen._cli", "mnistgen._dataset.build", "mnistgen._session", "pyarrow.parquet"
for _needed in _NEEDED:
    import_module(_needed)  # once, here, and not in every forked process
pyarrow.table({"x": [1]})  # which imports pandas


@functools.cache
def model() -> Path:
    """A small model, made once."""
    return write_model(Path(tempfile.mkdtemp()))


def arguments(name: str, seed: int, *more: object, n: int | None = None, workers: int = 1) -> Arguments:
    """What makes a data set named data in the current folder."""
    train, test, shard = SIZES[name] if n is None else (n, 0, 100)
    sizes = ("--n", train, "--test", test, "--shard-size", shard, "--seed", seed, "--workers", workers, "--quiet")
    return ("dataset", "--model", model(), "--format", name, "--out", "data", *sizes, *more)


@functools.cache
def made(asked: Arguments) -> Path:
    """The data set that nothing disturbed."""
    with _elsewhere() as folder:
        ended = run(*asked)
        assert ended.code == 0, ended
    return folder / "data"


@functools.cache
def expected(asked: Arguments) -> dict[str, bytes]:
    """Its files."""
    return contents(made(asked))


def start(name: str, force: bool) -> Arguments:
    """Put an older data set in the place, or none, and say how the new one is asked for."""
    if force:
        shutil.copytree(made(arguments(name, OLD)), "data")
    return arguments(name, NEW, *(("--force",) if force else ()))


@functools.cache
def events(name: str, kind: Literal["files", "calls"], force: bool) -> int:
    """How many events that has."""
    with _elsewhere():
        child = Forked(start(name, force), Fault(events=kind))
        ended = child.ended()
        assert ended.code == 0, ended
    return child.events


@contextmanager
def _elsewhere() -> Iterator[Path]:
    """Another current folder, a new one."""
    before, folder = Path.cwd(), Path(tempfile.mkdtemp())
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def whole_problem(place: Path, name: str, force: bool) -> str:
    """What is wrong with `data`: it is the new set, or what was there before `start`'s call, whole."""
    found = contents(place / "data")
    whole = [expected(arguments(name, NEW)), expected(arguments(name, OLD)) if force else {}]
    return "" if found in whole else f"afterwards data holds neither set whole: {sorted(found)[:8]}"


def resumed_problem(place: Path, name: str, force: bool, damaged: bool = False) -> str:
    """What is wrong after the next call: it resumes, or says in one line why not; then a new one is asked for.

    Where files were damaged, that too may say that they are not its own.
    """
    ended = run(*arguments(name, NEW, "--resume"))
    if (force or damaged) and ended.code and not command_problem(ended):
        ended = run(*arguments(name, NEW, "--force"))
    if problem := command_problem(ended, (0, 1, 2) if damaged else (0,)):
        return f"the next call: {problem}"
    if ended.code:
        return ""
    if contents(place / "data") != expected(arguments(name, NEW)):
        return "the next call gives other bytes"
    return "" if damaged and "stays in" in ended.err else alone_problem(place)


def alone_problem(place: Path) -> str:
    """What lies around beside `data`."""
    around = sorted(path.name for path in place.iterdir())
    return "" if around == ["data"] else f"afterwards there are {around}"
