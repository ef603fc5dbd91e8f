"""Run directories after kills and full disks, with damaged or other files, and in concurrent runs."""

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import training.pipeline
from export import build as building
from tests.conftest import Outcome
from tests.training.conftest import Refused, RunScript
from tests.training.small import SMALL, signal_at
from training.config import to_json
from training.files import open_owned, read_file
from training.run.device import Compute
from training.run.directory import RunDirectory

Resumed = Callable[[RunDirectory], Outcome]
PRESET = SMALL["mlp"]
NEW = ("--preset", "mlp", "--epochs", 1)


@pytest.fixture
def stopped(train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run that was interrupted after its checkpoint of step 3 and its samples of step 4."""
    run = RunDirectory(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Compute, "autocast", signal_at(10, Compute.autocast, signal.SIGINT))  # twice a step
        assert train_here(*NEW, "--out", run.path).code == 130
    assert [path.stem for path in run.sample_paths()] == ["0-0000004"]
    assert (last := run.last())
    assert last.header.step == 3
    return run


@pytest.fixture
def resumed(train_here: RunScript, monkeypatch: pytest.MonkeyPatch) -> Resumed:
    """Resumes a run and interrupts it before the export, which is slow."""

    def resume(run: RunDirectory) -> Outcome:
        monkeypatch.setattr(training.pipeline, "build", signal_at(1, building.build, signal.SIGINT))
        outcome = train_here("--resume", run.path)
        assert outcome.code == 130
        assert outcome.err.splitlines()[-1] == f"train.py: interrupted; resume with --resume {run.path}"
        assert (run.path / "losses.png").exists()
        return outcome

    return resume


class TestWithoutCheckpoint:
    def test_resume_starts_from_beginning(
        self, train_here: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = RunDirectory(tmp_path)
        run.create(PRESET)
        run.append_metrics({"stage": 0, "step": 2, "ratio": 0.0})  # from a killed run
        monkeypatch.setattr(Compute, "autocast", signal_at(8, Compute.autocast, signal.SIGINT))
        outcome = train_here("--resume", tmp_path)
        assert outcome.code == 130
        assert outcome.out.startswith("mlp: adversarial; seed 1, on cpu, ")
        assert [line["step"] for line in run.read_metrics()] == [2, 3]

    def test_either_out_or_resume_works(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / ".mnistgen-01234567.json").touch()  # from a run that was killed before it wrote preset.json
        RunDirectory(tmp_path).check_new()
        assert "is no run directory: no preset.json; start a run with --out" in refused("--resume", tmp_path)
        RunDirectory(tmp_path).create(PRESET)
        assert f"is not empty; --resume {tmp_path} resumes it" in refused(*NEW, "--out", tmp_path)
        assert RunDirectory(tmp_path).read_preset() == PRESET

    def test_folder_with_other_files(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        assert "is not empty and no run directory; choose another --out" in refused(*NEW, "--out", tmp_path)
        assert "is no run directory" in refused("--resume", tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_removes_temporary_files(stopped: RunDirectory, train_here: RunScript, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (stopped.path, stopped.checkpoints):
        (folder / ".mnistgen-01234567.json").write_bytes(b"half")
    monkeypatch.setattr(Compute, "autocast", signal_at(1, Compute.autocast, signal.SIGINT))
    assert train_here("--resume", stopped.path).code == 130
    assert list(stopped.path.rglob(".*")) == []


def test_locked_run_raises(stopped: RunDirectory, refused: Refused) -> None:
    with open_owned(stopped.path / ".lock"):
        message = refused("--resume", stopped.path)
    assert f"{stopped.path} is in use by another training process; wait until it ends" in message


def test_files_are_read_up_to_a_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_file(tmp_path / "file", 4)


def test_full_disk_during_checkpoint(
    train_here: RunScript, resumed: Resumed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 5:  # preset, metrics, a checkpoint, samples, this one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    run = RunDirectory(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        outcome = train_here("--preset", "mlp", "--out", run.path, "--epochs", 1)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "No space left on device" in outcome.err
    assert list(run.path.rglob(".*")) == []
    resumed(run)


class TestDamage:
    @pytest.mark.filterwarnings("default:.*damaged")
    def test_damaged_metrics_are_skipped(self, stopped: RunDirectory, resumed: Resumed) -> None:
        good = stopped.metrics.read_bytes()
        stopped.metrics.write_bytes(b'{"step": 1, "rat\n' + b"\xff\xfe[1]\n{}\n" + good + b'{"step": 4, "ra')
        warning, _ = resumed(stopped).err.splitlines()
        assert warning == f"train.py: {stopped.metrics}: skipped 3 damaged lines, the first is line 1"
        assert [line["step"] for line in stopped.read_metrics()] == [2, 3, 4, 6, 7]

    def test_missing_samples(self, stopped: RunDirectory, resumed: Resumed) -> None:
        for path in stopped.sample_paths():
            path.unlink()
        stopped.samples.rmdir()
        resumed(stopped)
        assert [path.stem for path in stopped.sample_paths()] == ["0-0000004", "0-0000007"]

    def test_damaged_sample(self, stopped: RunDirectory, train_here: RunScript) -> None:
        path = stopped.samples / "0-0000001.png"
        path.write_bytes(stopped.sample_paths()[0].read_bytes()[:500])
        outcome = train_here("--resume", stopped.path)
        message = f"train.py: {path}: not a grid of samples; remove it, and resume with --resume\n"
        assert (outcome.code, outcome.err) == (1, message)

    def test_other_files_are_kept(self, stopped: RunDirectory, resumed: Resumed) -> None:
        others = [stopped.checkpoints / "a copy.safetensors", stopped.samples / "notes.png"]
        for path in others:
            path.write_bytes(b"mine")
        resumed(stopped)
        assert [path.read_bytes() for path in others] == [b"mine"] * 2

    def test_damaged_checkpoint(self, stopped: RunDirectory, refused: Refused) -> None:
        path = stopped.checkpoints / "0-0000006.safetensors"
        path.write_bytes((stopped.checkpoints / "0-0000003.safetensors").read_bytes()[:-1])
        assert f"{path}: not a valid safetensors file" in (message := refused("--resume", stopped.path))
        assert message.endswith("; remove it to resume from stage 0, step 3\n")

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda text: text[:-3], "not a preset (Expecting"),
            (lambda text: "[" * 100_000, "not a preset (maximum recursion"),
            (lambda text: "[]", "preset: input should be an object, got []"),
            (lambda text: text.replace('"mlp"', '"mpl"'), "architecture: expected one of mlp, conv"),
            (lambda text: text.replace('"bce-', '"bcf-'), "loss: expected one of"),
            (
                lambda text: text.replace('"latent_dim": 100', '"latent_dim": 1' + "0" * 9),
                "network: expected at most",
            ),
            (lambda text: text.replace('"latent_dim": 100', '"latent_dim": 1' + "0" * 5000), "not a preset (Exceeds"),
            (
                lambda text: text.replace('"batch_size": 64', '"batch_size": 0'),
                "batch_size: input should be ",
            ),
            (
                lambda text: text.replace('"log_every": 2', '"log_every": "\\u001b[31m"'),
                "log_every: input should be a valid integer",
            ),
        ],
    )
    def test_damaged_preset(self, damage: Callable[[str], str], message: str, refused: Refused, tmp_path: Path) -> None:
        path = tmp_path / "preset.json"
        text = json.dumps(to_json(PRESET))
        assert damage(text) != text
        path.write_text(damage(text))
        error = refused("--resume", tmp_path)
        assert error.startswith(f"train.py: {path}: not a preset ")
        assert message in error
        assert len(error) < 500

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
    def test_preset_is_not_a_regular_file(self, make: Callable[[Path], Any], refused: Refused, tmp_path: Path) -> None:
        make(tmp_path / "preset.json")
        assert f"{tmp_path / 'preset.json'}: cannot be read (" in refused("--resume", tmp_path)
