"""The distillation stage: training, resuming and divergence."""

import dataclasses
from typing import Any

import pytest
import torch

from tests.training.conftest import MakeContext
from tests.training.small import SMALL
from training.config import Preset
from training.errors import DivergedError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import cyclic_labels, draw
from training.schedules import Linear
from training.stages.distillation import draw_bank, train

PRESET = SMALL["digits"]


@pytest.fixture
def teacher() -> GeneratorNetwork:
    """A generator whose pixels are nearly all ink."""
    torch.manual_seed(1)
    generator = build_generator(PRESET.network_of(0), PRESET.latent_dim)
    torch.nn.init.constant_(generator.layers[-1].bias, 9.0)  # type: ignore[arg-type]
    return generator.eval().requires_grad_(False)


def with_stage(**changes: Any) -> Preset:
    adversarial, distillation, *others = PRESET.stages
    return dataclasses.replace(PRESET, stages=(adversarial, dataclasses.replace(distillation, **changes), *others))


def test_student_approaches_teacher(make_context: MakeContext, teacher: GeneratorNetwork) -> None:
    context = make_context(with_stage(steps=60, learning_rate=Linear(0.01, 1e-4)), steps_before=(14,))
    student = train(context.stage, [teacher], context)
    losses = [line["distillation_loss"] for line in context.run.read_metrics()]
    assert losses[-1] < 0.2 * losses[0]
    assert draw(student, 5, cyclic_labels(30)).mean() > 230  # the teacher's mean is nearly 255
    assert not any(parameter.requires_grad for parameter in student.parameters())


def test_bank_contains_teacher_images(make_context: MakeContext) -> None:
    torch.manual_seed(1)
    teacher = build_generator(PRESET.network_of(0), PRESET.latent_dim).eval()
    latents, labels, images = draw_bank(teacher, 1_010, make_context(PRESET))
    assert labels.bincount().tolist() == [101] * 10
    assert images.shape == (1_010, 1, 28, 28)
    with torch.no_grad():
        expected = teacher(latents[1_000:], torch.eye(10)) * 255
    torch.testing.assert_close(images[1_000:].float(), expected, atol=3.0, rtol=0.0)  # generated in bfloat16


def test_resume_is_bitwise_identical(make_context: MakeContext, teacher: GeneratorNetwork) -> None:
    uninterrupted, interrupted = (
        make_context(PRESET, name=name, steps_before=(14,)) for name in ("uninterrupted", "interrupted")
    )
    expected = train(uninterrupted.stage, [teacher], uninterrupted)

    def stop(stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(interrupted.stage, [teacher], dataclasses.replace(interrupted, progress=stop))
    middle = interrupted.run.last()
    assert middle
    assert middle.header.steps == (14, 4)
    torch.manual_seed(99)
    interrupted.run.rewind(1, 4)
    resumed = train(interrupted.stage, [teacher], dataclasses.replace(interrupted, start=middle))
    for name, value in expected.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_non_finite_loss_raises(make_context: MakeContext, teacher: GeneratorNetwork) -> None:
    context = make_context(with_stage(learning_rate=1e30), steps_before=(14,))
    with pytest.raises(DivergedError, match="stopped being finite at step"):
        train(context.stage, [teacher], context)
