"""Fixtures: small presets, a few hundred real digits, and running scripts in this process."""

import dataclasses
import os
import runpy
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import training.pipeline
from tests.conftest import Outcome
from tests.training.small import DATA, FILES, QUICK_ATTRIBUTES, ROOT, SMALL
from training import interruption, presets
from training.config import Preset
from training.data import Digits, Mnist, load_mnist
from training.run.device import Compute, choose, make_deterministic
from training.run.directory import RunDirectory
from training.run.distributed import World
from training.stages.context import Context, Evaluation


@pytest.fixture(scope="session")
def compute() -> Compute:
    chosen = choose("cpu", threads=1)
    make_deterministic(chosen)
    return chosen


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary cache folder, also for subprocesses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    return load_mnist(DATA, torch.device("cpu"), FILES)


@pytest.fixture(scope="session")
def digits(mnist: Mnist) -> Digits:
    return mnist.train


@pytest.fixture(autouse=True)
def quick_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit the attribute editor of an exported model to few digits."""
    for name, value in QUICK_ATTRIBUTES.items():
        monkeypatch.setattr(f"export.attributes.{name}", value)


MakeContext = Callable[..., Context]


@pytest.fixture
def make_context(mnist: Mnist, compute: Compute, tmp_path: Path) -> MakeContext:
    """Create the context of a run, with given ratios or a cheap evaluation."""

    def make(preset: Preset, *ratios: float, name: str = "run", **changes: Any) -> Context:
        run = RunDirectory(tmp_path / name)
        if not run.exists():
            run.create(preset)
        remaining = list(ratios)
        started = time.monotonic()
        return dataclasses.replace(
            Context(
                preset=preset,
                mnist=mnist,
                run=run,
                compute=compute,
                world=World(),
                evaluation=Evaluation(
                    lambda images: remaining.pop(0) if remaining else float(images.mean()), torch.arange(20) % 10
                ),
                progress=lambda *_: None,
                seconds=lambda: time.monotonic() - started,
            ),
            **changes,
        )

    return make


@pytest.fixture(params=["conv", "mlp-dropout", "mlp"])
def preset(request: pytest.FixtureRequest) -> Preset:
    """A small preset of each kind."""
    return SMALL[request.param]


RunScript = Callable[..., Outcome]
Refused = Callable[..., str]


@pytest.fixture
def run_script(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[RunScript]:
    """Run a script by its path in the repository, in this process, with small presets and the small data set."""
    for name, preset in SMALL.items():
        monkeypatch.setitem(presets.PRESETS, name, preset)
    monkeypatch.setattr(load_mnist, "__defaults__", (FILES,))
    monkeypatch.setattr(
        training.pipeline, "usable_cpus", lambda: 1
    )  # no worker processes, which would not have these changes
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for module, name in ((sys, "path"), (sys, "unraisablehook"), (sys, "excepthook"), (warnings, "showwarning")):
        monkeypatch.setattr(module, name, getattr(module, name))  # restore what scripts replace
    numbers = [number for name in interruption.SIGNALS if (number := getattr(signal, name, None))]
    handlers = {number: signal.getsignal(number) for number in numbers}

    def run(script: str, *arguments: object) -> Outcome:
        monkeypatch.setattr(interruption, "_received", [])
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        captured = capfd.readouterr()
        return Outcome(stop.value.code or 0, captured.out, captured.err)  # type: ignore[arg-type]  # a number

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def train_here(run_script: RunScript) -> RunScript:
    """Run train.py in this process."""
    return lambda *arguments: run_script("training/train.py", *arguments, "--data", DATA)


@pytest.fixture
def refused(train_here: RunScript) -> Refused:
    """Run train.py with invalid arguments and return its one-line error message."""

    def run(*arguments: object) -> str:
        outcome = train_here(*arguments)
        assert outcome.code == 1, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("train.py: ")
        assert outcome.err.count("\n") == 1
        return outcome.err

    return run


def train(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run train.py with small presets in a new process."""
    command = [sys.executable, "-m", "tests.training.small", *map(str, arguments), "--data", str(DATA)]
    settings = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=settings)


def train_in_two(*arguments: object, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run train.py with small presets under torchrun."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    command = [sys.executable, *launch, "tests.training.small", *map(str, arguments), "--data", str(DATA)]
    settings = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=settings)
