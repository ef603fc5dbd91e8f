"""Ctrl-C and SIGTERM at any moment: one line, the exit code that shells expect, and nothing left half written."""

import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import training.pipeline
from tests.training.conftest import RunScript
from tests.training.small import ROOT, signal_at
from training.evaluation import assessment
from training.run.device import Compute

SCRIPTS = (
    "training/train.py",
    "training/evaluate.py",
    "training/publish.py",
    "training/evaluation/train_judges.py",
    "training/evaluation/truncation.py",
    "export/export.py",
)
SMALL_RUN = ("--preset", "mlp", "--epochs", 1)


def hidden(folder: Path) -> list[str]:
    """Files that are half written or keep others out."""
    return [path.name for path in folder.rglob(".*")]


class TestImports:
    """Each script starts with a stand-in for a library, which sends its process a signal and then blames something."""

    def run(
        self, script: str, folder: Path, number: signal.Signals, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        (folder / "typer.py").write_text(
            "import os\n"
            f"try:\n    os.kill(os.getpid(), {int(number)})\n"
            "except BaseException:\n    raise ImportError('install it again') from None\n"
        )
        settings = os.environ | {"PYTHONPATH": str(folder)} | environment
        return subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, env=settings)

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_help_takes_no_pytorch(self, script: str, tmp_path: Path) -> None:
        (tmp_path / "torch.py").write_text("raise ImportError('torch')\n")
        command = [sys.executable, script, "--help"]
        settings = os.environ | {"PYTHONPATH": str(tmp_path)}
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=settings, check=True)
        assert f"Usage: {Path(script).name}" in result.stdout

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_one_line(self, script: str, tmp_path: Path) -> None:
        result = self.run(script, tmp_path, signal.SIGINT)
        line = f"{Path(script).name}: interrupted; nothing was begun\n"
        assert (result.returncode, result.stdout, result.stderr) == (130, "", line)

    def test_sigterm(self, tmp_path: Path) -> None:
        result = self.run(SCRIPTS[0], tmp_path, signal.SIGTERM)
        assert (result.returncode, result.stderr) == (143, "train.py: interrupted; nothing was begun\n")

    def test_of_several_processes_the_first_speaks(self, tmp_path: Path) -> None:
        result = self.run(SCRIPTS[0], tmp_path, signal.SIGINT, RANK="1", WORLD_SIZE="2")
        assert (result.returncode, result.stderr) == (130, "")


class TestTraining:
    @pytest.mark.parametrize(
        ("owner", "name", "call"),
        [
            (Compute, "autocast", 4),
            (Compute, "autocast", 13),
            (os, "fsync", 1),  # preset.json
            (os, "fsync", 5),  # a checkpoint
            (training.pipeline, "build", 1),
        ],
    )
    def test_names_what_to_resume(
        self, owner: Any, name: str, call: int, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = tmp_path / "a run"
        monkeypatch.setattr(owner, name, signal_at(call, getattr(owner, name), signal.SIGINT))
        outcome = train_here(*SMALL_RUN, "--out", run)
        begun = (run / "preset.json").exists()
        assert begun == ((owner, call) != (os, 1))
        how = f"resume with --resume '{run}'" if begun else "nothing was begun"
        assert (outcome.code, outcome.err) == (130, f"train.py: interrupted; {how}\n")
        assert hidden(run) == []

    @pytest.mark.parametrize("name", ["load_mnist", "baseline"])
    def test_before_anything_was_begun(
        self, name: str, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training.pipeline, name, signal_at(1, getattr(training.pipeline, name), signal.SIGTERM))
        outcome = train_here(*SMALL_RUN, "--out", tmp_path / "run")
        assert (outcome.code, outcome.err) == (143, "train.py: interrupted; nothing was begun\n")
        assert list(tmp_path.iterdir()) == []

    def test_a_signal_in_a_callback_that_ignores_what_is_raised(
        self, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        autocast = Compute.autocast
        references: list[Any] = []

        def with_callback(compute: Compute) -> Any:
            if not references:
                something = Compute(compute.device, compute.precision, compute.threads)
                references.append(weakref.ref(something, lambda _: os.kill(os.getpid(), signal.SIGINT)))
            return autocast(compute)

        monkeypatch.setattr(Compute, "autocast", with_callback)
        outcome = train_here(*SMALL_RUN, "--out", tmp_path / "run")
        assert outcome.code == 130
        assert outcome.err == f"train.py: interrupted; resume with --resume {tmp_path / 'run'}\n"

    def test_a_file_that_is_not_closed_any_more(
        self, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def with_file(compute: Compute) -> Any:
            return [(tmp_path / "file").open("w"), *map(os.kill, [os.getpid()], [signal.SIGINT])]

        monkeypatch.setattr(Compute, "autocast", with_file)
        outcome = train_here(*SMALL_RUN, "--out", tmp_path / "run")
        assert outcome.code == 130
        assert outcome.err == f"train.py: interrupted; resume with --resume {tmp_path / 'run'}\n"


def test_workers_never_see_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(*task: object) -> bool:
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    monkeypatch.setattr(assessment, "measure_once", blocked)
    monkeypatch.setattr(assessment, "summarise", lambda source, found: found)
    sources: list[Any] = [SimpleNamespace(name=name, seeds=None) for name in ("one", "two")]
    found: Any = assessment.measure_all(sources, (1, 2), 1, "quick", Path(), workers=2)
    assert found == [[True, True]] * 2
    assert not blocked()
