"""Distillation, in this process: the student grows like its teacher, goes on to the same bit, and what it refuses."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.small import SMALL
from training.config import Preset, from_json, to_json
from training.data import Mnist
from training.errors import DivergedError, PresetError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.presets import resolve
from training.run import checkpoint as checkpoints
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.stages.adversarial import Scoring, draw
from training.stages.distillation import distil
from training.stages.moment_matching import first_steps, is_refined, refine

PRESET = SMALL["digits-fast"]
STAGES = ("distillation", "refinement")


@pytest.fixture
def teacher() -> GeneratorNetwork:
    """One whose pixels are all nearly black."""
    preset = SMALL["residual"]
    torch.manual_seed(1)
    generator = build_generator(preset.architecture, preset.latent_dim, preset.generator)
    torch.nn.init.constant_(generator.layers[-1].bias, 9.0)  # type: ignore[arg-type]
    return generator.eval().requires_grad_(False)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return new_run(tmp_path / "run")


def new_run(path: Path) -> RunDirectory:
    run = RunDirectory(path)
    run.create(PRESET)
    return run


def changed(**stages: dict[str, Any]) -> Preset:
    """The preset with other fields in its stages."""
    parts = {name: dataclasses.replace(getattr(PRESET, name), **fields) for name, fields in stages.items()}
    return dataclasses.replace(PRESET, **parts)


def ink(checkpoint: checkpoints.Checkpoint) -> float:
    """The mean grey level of digits; the teacher's is nearly 255."""
    return float(draw(checkpoints.generator_of(checkpoint), 5, torch.arange(30) % 10).mean())


def test_a_student_grows_like_its_teacher(
    mnist: Mnist, compute: Compute, scoring: Scoring, teacher: GeneratorNetwork, run: RunDirectory
) -> None:
    preset = changed(distillation={"steps": 60, "learning_rate": 0.01})
    best = distil(preset, mnist.fitting, run, compute, scoring=scoring, teacher=teacher)
    lines = run.read_metrics()
    assert lines[-1]["teacher_error"] < 0.2 * lines[0]["teacher_error"]
    assert ink(best) > 230
    assert best.header.step == lines[-1]["step"] == first_steps(preset, mnist.fitting) == 60
    assert "ratio" in lines[-1]
    assert [path.stem for path in sorted(run.samples.iterdir())][-1] == "0000060"


def test_refinement_holds_it_to_its_teacher(
    mnist: Mnist, compute: Compute, scoring: Scoring, teacher: GeneratorNetwork, tmp_path: Path, run: RunDirectory
) -> None:
    """Where the moments of real digits, which are mostly paper, pull the other way."""
    distil(PRESET, mnist.fitting, run, compute, scoring=scoring, teacher=teacher)
    levels = {}  # by the weights of both errors
    for weights in ((0.0, 0.0), (1e7, 0.0), (0.0, 1e7)):
        other = new_run(tmp_path / str(weights))
        other.save_best(checkpoints.read(run.best))
        how = {"steps": 30, "learning_rate": 0.03, "feature_error": weights[0], "pixel_error": weights[1]}
        levels[weights] = ink(
            refine(changed(refinement=how), mnist.fitting, other, compute, scoring=scoring, teacher=teacher)
        )
    free = levels.pop((0.0, 0.0))
    assert min(levels.values()) > free + 10


def test_resumed_is_the_same_to_the_bit(
    mnist: Mnist, compute: Compute, scoring: Scoring, teacher: GeneratorNetwork, tmp_path: Path, run: RunDirectory
) -> None:
    straight = new_run(tmp_path / "whole")
    best = distil(PRESET, mnist.fitting, straight, compute, scoring=scoring, teacher=teacher)

    def stop(step: int, steps: int, metrics: dict[str, float] | None) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil(PRESET, mnist.fitting, run, compute, scoring=scoring, teacher=teacher, report=stop)
    middle = checkpoints.read(run.last_checkpoint())
    assert (middle.header.step, is_refined(middle)) == (4, False)
    torch.manual_seed(99)
    run.rewind(middle.header.step)
    resumed = distil(PRESET, mnist.fitting, run, compute, scoring=scoring, teacher=teacher, start=middle)
    for name, value in best.tensors.items():
        assert torch.equal(value, resumed.tensors[name]), name
    ratios = [[line.get("ratio") for line in part.read_metrics()] for part in (straight, run)]
    assert ratios[0] == ratios[1]


def test_an_error_that_is_not_finite_stops_it(
    mnist: Mnist, compute: Compute, scoring: Scoring, teacher: GeneratorNetwork, run: RunDirectory
) -> None:
    with pytest.raises(DivergedError, match="stopped being finite at step"):
        distil(
            changed(distillation={"learning_rate": 1e30}), mnist.fitting, run, compute, scoring=scoring, teacher=teacher
        )


class TestPresets:
    def test_json_keeps_them(self) -> None:
        assert from_json(json.loads(json.dumps(to_json(PRESET)))) == PRESET

    @pytest.mark.parametrize("stage", STAGES)
    def test_classes_share_a_batch_evenly(self, stage: str) -> None:
        with pytest.raises(PresetError, match=f"{stage}: expected a batch_size that 10 divides, got 45"):
            changed(**{stage: {"batch_size": 45}})

    @pytest.mark.parametrize("weight", ["feature_error", "pixel_error"])
    def test_weights_are_schedules(self, weight: str) -> None:
        changed(refinement={weight: {"kind": "exponential", "start": 100.0, "end": 1.0}})
        with pytest.raises(PresetError, match="refinement: expected a kind of constant, "):
            changed(refinement={weight: {"kind": "wavy"}})

    @pytest.mark.parametrize("changes", [{"teacher": None}, {"distillation": None}])
    def test_teacher_and_distillation_go_together(self, changes: dict[str, Any]) -> None:
        with pytest.raises(PresetError, match="teacher: expected one for distillation, and none without"):
            dataclasses.replace(PRESET, **changes)

    def test_they_have_no_epochs(self) -> None:
        with pytest.raises(PresetError, match=r"epochs: digits-fast is distilled, .* got 3; leave them away"):
            resolve("digits-fast", epochs=3)
