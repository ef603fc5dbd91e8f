"""Data sets for several harnesses: their arguments, expected contents and checks."""

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

SIZES: Mapping[str, tuple[int, int, int]] = {  # format: digits in train and test split, and per shard
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
    import_module(_needed)  # once, not in every forked process
pyarrow.table({"x": [1]})  # imports pandas


@functools.cache
def model() -> Path:
    """A small model."""
    return write_model(Path(tempfile.mkdtemp()))


def arguments(name: str, seed: int, *more: object, n: int | None = None, workers: int = 1) -> Arguments:
    """The arguments that create a data set named data in the current folder."""
    train, test, shard = SIZES[name] if n is None else (n, 0, 100)
    sizes = ("--n", train, "--test", test, "--shard-size", shard, "--seed", seed, "--workers", workers, "--quiet")
    return ("dataset", "--model", model(), "--format", name, "--out", "data", *sizes, *more)


@functools.cache
def undisturbed(request: Arguments) -> Path:
    """The folder of an undisturbed data set with these arguments."""
    with _elsewhere() as folder:
        ended = run(*request)
        assert ended.code == 0, ended
    return folder / "data"


@functools.cache
def expected(request: Arguments) -> dict[str, bytes]:
    """The expected files."""
    return contents(undisturbed(request))


def start(name: str, force: bool) -> Arguments:
    """Create an older data set, with `force`, and return the arguments of the new one."""
    if force:
        shutil.copytree(undisturbed(arguments(name, OLD)), "data")
    return arguments(name, NEW, *(("--force",) if force else ()))


@functools.cache
def events(name: str, kind: Literal["files", "calls"], force: bool) -> int:
    """The number of events of that command."""
    with _elsewhere():
        child = Forked(start(name, force), Fault(events=kind))
        ended = child.ended()
        assert ended.code == 0, ended
    return child.events


@contextmanager
def _elsewhere() -> Iterator[Path]:
    """Change to a new folder."""
    before, folder = Path.cwd(), Path(tempfile.mkdtemp())
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def whole_problem(workdir: Path, name: str, force: bool) -> str:
    """Check that `data` is either the complete new set or what existed before."""
    found = contents(workdir / "data")
    valid = [expected(arguments(name, NEW)), expected(arguments(name, OLD)) if force else {}]
    return "" if found in valid else f"data is neither the old nor the new set: {sorted(found)[:8]}"


def resumed_problem(workdir: Path, name: str, force: bool, damaged: bool = False) -> str:
    """Check that the next call resumes or, with `force` or damage, fails in one line and --force succeeds.

    If files were damaged, --force may also fail because it does not recognise them.
    """
    ended = run(*arguments(name, NEW, "--resume"))
    if (force or damaged) and ended.code and not command_problem(ended):
        ended = run(*arguments(name, NEW, "--force"))
    if problem := command_problem(ended, (0, 1, 2) if damaged else (0,)):
        return f"the next call: {problem}"
    if ended.code:
        return ""
    if contents(workdir / "data") != expected(arguments(name, NEW)):
        return "the next call gives other bytes"
    return "" if damaged and "was not removed from" in ended.err else alone_problem(workdir)


def alone_problem(workdir: Path) -> str:
    """Check that there is nothing besides `data`."""
    around = sorted(path.name for path in workdir.iterdir())
    return "" if around == ["data"] else f"there are other files: {around}"
