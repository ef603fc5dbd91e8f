"""train.py on presets of several stages: distilled, refined, killed and resumed in each, in one process and in two."""

import shutil
import signal
from pathlib import Path

import pytest
import torch

import mnistgen
from tests.training.conftest import Refused, train, train_in_two
from tests.training.small import ROOT
from training.run import checkpoint as checkpoints
from training.run.directory import RunDirectory
from training.stages.moment_matching import is_refined

KILLED_IN_REFINEMENT = "12"  # files written
TEACHERS = ROOT / "training" / "weights" / "teachers"
FAST = ("--preset", "digits-fast", "--teachers", TEACHERS)


def test_without_a_preset_digits_are_trained_with_their_teachers_and_measured(tmp_path: Path) -> None:
    run = tmp_path / "run"
    # Killed in the second teacher, before it has any checkpoint and once it has one.
    empty = str(tmp_path / "cache")  # for fitted networks are cached, and fitting them counts
    assert train("--out", run, KILL_AT_STEP="55", XDG_CACHE_HOME=empty).returncode == -signal.SIGKILL
    assert train("--resume", run, KILL_AT_STEP="20").returncode == -signal.SIGKILL
    assert RunDirectory(run / "teachers" / "residual-2").last()
    assert sorted(path.name for path in (run / "teachers").iterdir()) == [
        "residual",
        "residual-2",
        "residual.safetensors",
    ]
    result = train("--resume", run)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(
        "digits: distilled from residual and residual-2 and upsampling in 8 steps, seed 1, "
    )
    assert "residual-2: 2 epochs, seed 2, " in result.stdout
    assert "residual: 2 epochs" not in result.stdout  # done before
    generator = mnistgen.Generator(run / "export")
    assert (generator.card.name, generator.card.conditional, generator.card.members) == ("digits", True, 3)
    quality = generator.card.quality
    assert quality is not None
    assert all("float32" in figure for figure in quality["figures"].values())  # what quantization cost
    assert "large_accuracy_score" in quality["figures"]
    assert "asked for 7" in (run / "report" / "report.md").read_text()


def test_refinement_killed_and_resumed_ends_with_the_same_bits(tmp_path: Path, refused: Refused) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    shown = train("--preset", "residual", "--epochs", 1, "--out", whole)
    assert shown.returncode == 0, shown.stderr
    assert "refining, distance of moments " in shown.stdout
    assert (
        train("--preset", "residual", "--epochs", 1, "--out", killed, KILL_AT_SYNC=KILLED_IN_REFINEMENT).returncode < 0
    )
    assert is_refined(checkpoints.read(RunDirectory(killed).last_checkpoint()))
    refused_epochs = refused("--resume", killed, "--epochs", 2)
    assert "epochs: all 1 are done and the generator is being refined, got 2" in refused_epochs
    resumed = train_in_two("--resume", killed)
    assert resumed.returncode == 0, resumed.stderr  # with two processes: the same within rounding
    shutil.rmtree(killed)
    assert (
        train("--preset", "residual", "--epochs", 1, "--out", killed, KILL_AT_SYNC=KILLED_IN_REFINEMENT).returncode < 0
    )
    assert train("--resume", killed).returncode == 0
    ends = [checkpoints.read(RunDirectory(run).last_checkpoint()) for run in (whole, killed)]
    for name, value in ends[0].tensors.items():
        assert torch.equal(value, ends[1].tensors[name]), name
    assert (whole / "export" / "model.onnx").read_bytes() == (killed / "export" / "model.onnx").read_bytes()


def test_distillation_killed_and_resumed_ends_with_the_same_bits(tmp_path: Path, refused: Refused) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    shown = train(*FAST, "--out", whole)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("digits-fast: distilled from residual in 8 steps, seed 1, ")
    for stage in ("distilling, squared error ", "refining, distance of moments "):
        assert stage in shown.stdout
    assert train(*FAST, "--out", killed, KILL_AT_STEP="7").returncode == -signal.SIGKILL
    assert not is_refined(checkpoints.read(RunDirectory(killed).last_checkpoint()))
    assert "epochs: digits-fast is distilled, in steps and without epochs" in refused("--resume", killed, "--epochs", 2)
    assert train("--resume", killed).returncode == 0
    ends = [checkpoints.read(RunDirectory(run).last_checkpoint()) for run in (whole, killed)]
    for name, value in ends[0].tensors.items():
        assert torch.equal(value, ends[1].tensors[name]), name
    assert (whole / "export" / "model.onnx").read_bytes() == (killed / "export" / "model.onnx").read_bytes()


def test_distillation_and_what_follows_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECISION", "float32")
    runs = [RunDirectory(tmp_path / name) for name in ("one", "two")]
    assert train(*FAST, "--out", runs[0].path).returncode == 0
    assert train_in_two(*FAST, "--out", runs[1].path).returncode == 0
    for ours, theirs in zip(*(run.read_metrics() for run in runs), strict=True):
        name = "teacher_error" if "teacher_error" in ours else "moments"
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3), ours["step"]
    refused_three = train_in_two(*FAST, "--out", tmp_path / "three", processes=3).stderr
    assert "batch_size: expected a multiple of the 3 processes, got 40" in refused_three
