"""The run directory: metrics, progress, refusals and figures."""

import io
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from torch import nn

from training.errors import CheckpointError, DivergedError, TrainingError
from training.figures import training_curves
from training.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in a loop of ten steps of 100 images, logged every second step."""
    run = Run(tmp_path / "run")
    run.create({"data": "mnist"})
    run.how = {"data": "0", "device": "cpu", "precision": "float32"}
    run.begin("1-adversarial", 10, 2, 100, {})
    return run


def log(run: Run, *losses: float, start: int = 1) -> None:
    for step, loss in enumerate(losses, start):
        run.log(step, generator_loss=torch.tensor(loss))


def test_means_since_the_last_line(run: Run) -> None:
    log(run, 1.0, 3.0, 5.0)
    run.save(3)
    log(run, 7.0, start=4)
    with run.metrics.open("a") as file:
        file.write('{"loop": "1-adv')  # a line that a kill cut off is ignored
    lines = run.read_metrics()
    assert [(line["step"], line["generator_loss"]) for line in lines] == [(2, 2.0), (3, 5.0), (4, 7.0)]
    assert lines[0].keys() == {"loop", "step", "minutes", "generator_loss", "images_per_second"}


def test_divergence_before_the_first_checkpoint(run: Run) -> None:
    with pytest.raises(DivergedError, match="finite at step 1; there is no checkpoint before it"):
        log(run, float("inf"), 1.0)


def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensorboard = MagicMock()  # the real one takes seconds to import
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", tensorboard)
    run = Run(tmp_path, tensorboard=True)
    run.begin("1-adversarial", 10, 2, 100, {})
    run.evaluation(4, 0.5)
    run.close()
    tensorboard.SummaryWriter.assert_called_once_with(str(tmp_path / "tensorboard"))
    tensorboard.SummaryWriter.return_value.add_scalar.assert_called_once_with("1-adversarial/ratio", 0.5, 4)


def test_folders_with_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(TrainingError, match="is not empty and no run directory; choose another --out"):
        Run(tmp_path).create({})


def test_checkpoint_of_another_network(run: Run) -> None:
    run.begin("1-adversarial", 10, 2, 100, {"layer": nn.Linear(2, 2)})
    run.save(1)
    assert run.resume({}, "0", "cuda") == {}  # another device chooses its own precision
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: does not fit the preset \(.*size mismatch"):
        run.begin("1-adversarial", 10, 2, 100, {"layer": nn.Linear(2, 3)})


def test_bars_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    run = Run(run.path)  # which reads the width
    run.begin("1-adversarial", 10, 2, 100, {})
    log(run, 1.0, 2.0, 3.0)
    run.begin("2-distillation", 10, 2, 100, {})
    log(run, *[1.0] * 10)
    run.close()
    for text in ("1-adversarial", "3/10", "generator loss 1.5", "2-distillation", "10/10", "0:00:00"):
        assert text in terminal.getvalue()


def test_curves_of_what_was_logged() -> None:
    lines = (
        {"loop": "1-adversarial", "minutes": 0.1, "generator_loss": 1.0, "discriminator_loss": 2.0},
        {"loop": "1-adversarial", "minutes": 0.2, "ratio": 2.0},
        {"loop": "2-distillation", "minutes": 0.3, "distillation_loss": 1.0},
    )
    labels = [axes.get_ylabel() for axes in training_curves(lines).axes]
    assert labels == ["held-out Fréchet ratio", "loss", "distillation loss"]
