"""The encoder stage: training, resuming and its file."""

import dataclasses
from typing import Any

import pytest
import torch

from tests.training.conftest import MakeContext
from tests.training.small import SMALL
from training.config import Preset
from training.errors import CheckpointError, DivergedError, PresetError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.run import checkpoint as checkpoints
from training.run.outline import check_preset
from training.stages.encoder import train

PRESET = SMALL["digits"]
BEFORE = (14, 8, 6)  # steps of the other stages


@pytest.fixture
def generator() -> GeneratorNetwork:
    torch.manual_seed(1)
    return build_generator(PRESET.network, PRESET.latent_dim).eval().requires_grad_(False)


def with_stage(**changes: Any) -> Preset:
    return dataclasses.replace(PRESET, stages=(*PRESET.stages[:-1], dataclasses.replace(PRESET.stages[-1], **changes)))


def test_errors_fall_and_the_generator_stays(make_context: MakeContext, generator: GeneratorNetwork) -> None:
    context = make_context(with_stage(steps=80, learning_rate=0.003, latent_error=1.0), steps_before=BEFORE)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    returned = train(context.stage, [generator], context)
    lines = context.run.read_metrics()
    assert lines[-1]["latent_error"] < 0.9 * lines[0]["latent_error"]
    assert lines[-1]["label_error"] < lines[0]["label_error"]
    for name, value in returned.state_dict().items():
        assert torch.allclose(value, before[name], rtol=1e-3, atol=1e-3), name  # as stored, in 16 bits


def test_file_holds_both_networks(make_context: MakeContext, generator: GeneratorNetwork) -> None:
    context = make_context(PRESET, steps_before=BEFORE)
    train(context.stage, [generator], context)
    checkpoint = checkpoints.read(context.run.generator_path(PRESET, 3))
    assert checkpoint.header.steps == (*BEFORE, 6)
    encoder = checkpoints.encoder_of(checkpoint)
    assert encoder is not None
    latents, logits = encoder(torch.rand(5, 1, 28, 28))
    assert (latents.shape, logits.shape) == ((5, PRESET.latent_dim), (5, 10))
    assert checkpoints.generator_of(checkpoint).conditional
    without = checkpoints.Checkpoint(checkpoint.header, {})
    with pytest.raises(CheckpointError):
        checkpoints.encoder_of(without)


def test_resume_is_bitwise_identical(make_context: MakeContext, generator: GeneratorNetwork) -> None:
    whole, interrupted = (make_context(PRESET, name=name, steps_before=BEFORE) for name in ("whole", "interrupted"))
    train(whole.stage, [generator], whole)

    def stop(stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(interrupted.stage, [generator], dataclasses.replace(interrupted, progress=stop))
    middle = interrupted.run.last()
    assert middle
    assert middle.header.steps == (*BEFORE, 2)
    torch.manual_seed(99)
    interrupted.run.rewind(3, 2)
    train(interrupted.stage, [generator], dataclasses.replace(interrupted, start=middle))
    expected, resumed = (checkpoints.read(context.run.generator_path(PRESET, 3)) for context in (whole, interrupted))
    assert expected.tensors.keys() == resumed.tensors.keys()
    for name, value in expected.tensors.items():
        assert torch.equal(value, resumed.tensors[name]), name


def test_non_finite_loss_raises(make_context: MakeContext, generator: GeneratorNetwork) -> None:
    context = make_context(with_stage(learning_rate=1e30), steps_before=BEFORE)
    with pytest.raises(DivergedError, match="stopped being finite at step"):
        train(context.stage, [generator], context)


def test_unconditional_generators_have_none() -> None:
    stages = (*SMALL["mlp"].stages, PRESET.stages[-1])
    with pytest.raises(PresetError, match=r"stages\.1: expected a class-conditional generator for an encoder"):
        check_preset(dataclasses.replace(SMALL["mlp"], stages=stages))
