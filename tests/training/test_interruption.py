"""Ctrl-C and SIGTERM: reported in one line with the conventional exit code, and no partial files."""

import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import training.pipeline
from tests.training.conftest import RunScript
from tests.training.small import ROOT, signal_at
from training.evaluation import assessment
from training.interruption import signals_kept_back
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
    """Temporary files and locks."""
    return [path.name for path in folder.rglob(".*")]


class TestImports:
    """Each script imports a fake library that sends its process a signal and then raises another exception."""

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
    def test_help_does_not_import_pytorch(self, script: str, tmp_path: Path) -> None:
        (tmp_path / "torch.py").write_text("raise ImportError('torch')\n")
        command = [sys.executable, script, "--help"]
        settings = os.environ | {"PYTHONPATH": str(tmp_path)}
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=settings, check=True)
        assert f"Usage: {Path(script).name}" in result.stdout

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_sigint_is_reported_in_one_line(self, script: str, tmp_path: Path) -> None:
        result = self.run(script, tmp_path, signal.SIGINT)
        line = f"{Path(script).name}: interrupted; nothing was written\n"
        assert (result.returncode, result.stdout, result.stderr) == (130, "", line)

    def test_sigterm(self, tmp_path: Path) -> None:
        result = self.run(SCRIPTS[0], tmp_path, signal.SIGTERM)
        assert (result.returncode, result.stderr) == (143, "train.py: interrupted; nothing was written\n")

    def test_only_rank_zero_reports(self, tmp_path: Path) -> None:
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
    def test_message_names_resume_option(
        self, owner: Any, name: str, call: int, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = tmp_path / "a run"
        monkeypatch.setattr(owner, name, signal_at(call, getattr(owner, name), signal.SIGINT))
        outcome = train_here(*SMALL_RUN, "--out", run)
        created = (run / "preset.json").exists()
        assert created == ((owner, call) != (os, 1))
        hint = f"resume with --resume '{run}'" if created else "nothing was written"
        assert (outcome.code, outcome.err) == (130, f"train.py: interrupted; {hint}\n")
        assert hidden(run) == []

    @pytest.mark.parametrize("name", ["load_mnist", "baseline"])
    def test_interrupted_before_first_write(
        self, name: str, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training.pipeline, name, signal_at(1, getattr(training.pipeline, name), signal.SIGTERM))
        outcome = train_here(*SMALL_RUN, "--out", tmp_path / "run")
        assert (outcome.code, outcome.err) == (143, "train.py: interrupted; nothing was written\n")
        assert list(tmp_path.iterdir()) == []

    def test_signal_in_callback_that_ignores_exceptions(
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

    def test_signal_while_file_is_open(
        self, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def with_file(compute: Compute) -> Any:
            return [(tmp_path / "file").open("w"), *map(os.kill, [os.getpid()], [signal.SIGINT])]

        monkeypatch.setattr(Compute, "autocast", with_file)
        outcome = train_here(*SMALL_RUN, "--out", tmp_path / "run")
        assert outcome.code == 130
        assert outcome.err == f"train.py: interrupted; resume with --resume {tmp_path / 'run'}\n"


def test_workers_do_not_receive_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(*task: object) -> bool:
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    monkeypatch.setattr(assessment, "measure_once", blocked)
    monkeypatch.setattr(assessment, "summarise", lambda source, found: found)
    sources: list[Any] = [SimpleNamespace(name=name, seeds=None) for name in ("one", "two")]
    found: Any = assessment.measure_all(sources, (1, 2), 1, "quick", Path(), workers=2)
    assert found == [[True, True]] * 2
    assert not blocked()


def test_signals_are_deferred_while_processes_start() -> None:
    """Also if another thread receives them, such as one of NumPy's."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    started = []

    def start_one() -> None:
        assert thread.ident
        with signals_kept_back():
            signal.pthread_kill(thread.ident, signal.SIGINT)
            started.append(subprocess.run([sys.executable, "-c", ""]).returncode)

    with pytest.raises(KeyboardInterrupt):
        start_one()
    over.set()
    thread.join()
    assert started == [0]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT, signal.SIGHUP}


def test_ignored_signals_stay_ignored() -> None:
    script = "import os, signal, training.interruption as it; it.handle_signals(); os.kill(os.getpid(), signal.SIGHUP)"
    command = ["sh", "-c", f"trap '' HUP; exec {sys.executable} -c '{script}'"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
