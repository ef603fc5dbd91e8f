"""train.py on a preset with several stages: killed and resumed in each, in one and in two processes."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

import mnistgen
from tests.training.conftest import train
from training.evaluation.handwriting import HANDWRITING
from training.run.checkpoint import read
from training.run.directory import RunDirectory

# The metric that each stage logs.
LOSSES = ("generator_loss", "distillation_loss", "moment_distance", "reconstruction_error")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A complete run of `digits`, the default, without evaluation."""
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "uninterrupted")
    result = train("--no-evaluate", "--out", run.path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("digits: adversarial, distillation, moment-matching, encoder; seed 1, on cpu, ")
    ends = {"adversarial": "14/14", "distillation": "8/8", "moment-matching": "6/6", "encoder": "6/6"}
    for stage, end in ends.items():
        assert any(line.startswith(f"{stage} step {end}: ") and ", ratio " in line for line in lines)
    assert lines[-2].startswith("Exported the last generator, of step 6, after ")
    return run


def without_times(run: RunDirectory) -> list[dict[str, float]]:
    return [
        {name: value for name, value in line.items() if name not in ("minutes", "images_per_second")}
        for line in run.read_metrics()
    ]


def test_each_stage_writes_its_generator(finished: RunDirectory) -> None:
    files = sorted(finished.generators.iterdir())
    assert [path.name for path in files] == [
        "0-adversarial-best.safetensors",
        "1-distillation-last.safetensors",
        "2-moment-matching-last.safetensors",
        "3-encoder-last.safetensors",
    ]
    headers = [read(path).header for path in files]
    first = headers[0].step
    assert [header.steps for header in headers] == [(first,), (first, 8), (first, 8, 6), (first, 8, 6, 6)]
    seconds = [header.seconds for header in headers]
    assert seconds == sorted(set(seconds))
    card = mnistgen.Generator(finished.export).card
    assert (card.name, card.conditional, card.steps) == ("digits", True, first + 8 + 6 + 6)
    assert card.preset == json.loads((finished.path / "preset.json").read_text())


def test_metrics_contain_stage_and_time(finished: RunDirectory) -> None:
    lines = finished.read_metrics()
    assert [line["stage"] for line in lines] == sorted(line["stage"] for line in lines)
    for line in lines:
        assert LOSSES[line["stage"]] in line
    minutes = [line["minutes"] for line in lines]
    assert minutes == sorted(minutes)
    assert {line["stage"] for line in lines if "ratio" in line} == {0, 1, 2, 3}


def test_resume_after_sigkill_in_each_stage_is_bitwise_identical(finished: RunDirectory, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "killed")
    # First while it writes a file, before the first checkpoint.
    assert train("--no-evaluate", "--out", run.path, KILL_AT_SYNC="5").returncode == -signal.SIGKILL
    stages = []
    for steps in ("14", "12", "57", "62"):  # calls of autocast before the kill
        assert train("--no-evaluate", "--resume", run.path, KILL_AT_STEP=steps).returncode == -signal.SIGKILL
        last = run.last()
        assert last
        stages.append(last.header.stage)
    assert {0, 1, 2, 3} - set(stages) <= {0}  # killed in each stage
    assert train("--no-evaluate", "--resume", run.path).returncode == 0
    ends = [each.last() for each in (finished, run)]
    assert ends[0]
    assert ends[1]
    assert list(run.path.rglob(".*")) == []  # no temporary files, no lock
    assert ends[0].tensors.keys() == ends[1].tensors.keys()
    for name, value in ends[0].tensors.items():
        assert torch.equal(value, ends[1].tensors[name]), name
    assert without_times(finished) == without_times(run)
    assert [path.name for path in finished.sample_paths()] == [path.name for path in run.sample_paths()]
    # The files differ in the training time in their metadata.
    models = [mnistgen.Generator(each.export) for each in (finished, run)]
    assert models[0].sample(20, seed=1).tobytes() == models[1].sample(20, seed=1).tobytes()


def test_default_model_is_evaluated(finished: RunDirectory, tmp_path: Path) -> None:
    run = RunDirectory(Path(shutil.copytree(finished.path, tmp_path / "run")))
    result = train("--resume", run.path)
    assert result.returncode == 0, result.stderr
    quality = mnistgen.Generator(run.export).card.quality
    assert quality is not None
    assert all("float32" in figure for figure in quality["figures"].values())  # the loss from quantization
    assert quality["handwriting"].keys() == HANDWRITING.keys()
    assert "Handwriting: digits" in (run.report / "report.md").read_text()
