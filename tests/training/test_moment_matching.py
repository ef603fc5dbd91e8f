"""The moment-matching stage: training, error terms, resuming and divergence; the feature networks."""

import copy
import dataclasses
from typing import Any

import pytest
import torch

from tests.training.conftest import MakeContext
from tests.training.small import SMALL
from training.config import Preset
from training.data import Mnist
from training.errors import DivergedError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import cyclic_labels, draw
from training.objectives import features
from training.objectives.features import POOL, FeatureNetwork, fit_networks
from training.run.device import Compute
from training.schedules import Linear
from training.stages.context import Context
from training.stages.moment_matching import train

PRESET = SMALL["digits"]
ONE_PER_TASK = {name: POOL[name] for name in ("deep-means", "dense-autoencoder", "untrained-code")}


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """One feature network per task, to train in seconds: with pooled maps and with a final layer."""
    monkeypatch.setattr(features, "POOL", ONE_PER_TASK)


@pytest.fixture
def student() -> GeneratorNetwork:
    """An untrained student."""
    torch.manual_seed(1)
    return build_generator(PRESET.network, PRESET.latent_dim).eval().requires_grad_(False)


def with_stage(**changes: Any) -> Preset:
    *before, matching, encoder = PRESET.stages
    return dataclasses.replace(PRESET, stages=(*before, dataclasses.replace(matching, **changes), encoder))


def after_two(make_context: MakeContext, preset: Preset, **changes: Any) -> Context:
    return make_context(preset, steps_before=(14, 8), **changes)


def test_moment_distance_decreases(make_context: MakeContext, student: GeneratorNetwork) -> None:
    preset = with_stage(
        steps=60,
        learning_rate=1e-3,
        memory=200,
        pixel_error=0.0,
        feature_error=0.0,
        networks=len(ONE_PER_TASK),
        evaluate_every=30,
    )
    context = after_two(make_context, preset)
    weights = {name: value.clone() for name, value in student.state_dict().items()}
    matched = train(context.stage, [student], context)
    distances = [line["moment_distance"] for line in context.run.read_metrics()]
    assert distances[-1] < 0.5 * distances[0]
    for name, value in student.state_dict().items():
        assert torch.equal(value, weights[name]), name  # the given generator is unchanged
        assert not torch.equal(value, matched.state_dict()[name]), name


@pytest.mark.parametrize("error", ["pixel_error", "feature_error"])
def test_error_terms_keep_generator_close_to_teacher(
    make_context: MakeContext, student: GeneratorNetwork, error: str
) -> None:
    moved = copy.deepcopy(student)
    for value in moved.parameters():
        value.add_(0.05 * torch.randn_like(value))
    distances = {}
    for weight in (0.0, 1e12):
        errors = {"pixel_error": 0.0, "feature_error": 0.0} | {error: weight}
        preset = with_stage(steps=40, learning_rate=Linear(3e-3, 1e-6), evaluate_every=40, **errors)
        context = after_two(make_context, preset, name=str(weight))
        matched = train(context.stage, [student, moved], context)
        digits = [draw(network, 5, cyclic_labels(30)) / 255 for network in (student, matched)]
        distances[weight] = float(abs(digits[0] - digits[1]).mean())
    assert distances[1e12] < 0.5 * distances[0.0]


def test_resume_is_bitwise_identical(make_context: MakeContext, student: GeneratorNetwork) -> None:
    uninterrupted, interrupted = (
        after_two(make_context, PRESET, name=name) for name in ("uninterrupted", "interrupted")
    )
    train(uninterrupted.stage, [student], uninterrupted)

    def stop(stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(interrupted.stage, [student], dataclasses.replace(interrupted, progress=stop))
    middle = interrupted.run.last()
    assert middle
    assert middle.header.steps == (14, 8, 4)
    torch.manual_seed(99)
    interrupted.run.rewind(2, 4)
    train(interrupted.stage, [student], dataclasses.replace(interrupted, start=middle))
    ends = [context.run.last() for context in (uninterrupted, interrupted)]
    assert ends[0]
    assert ends[1]
    assert ends[0].tensors.keys() == ends[1].tensors.keys()
    for name, value in ends[0].tensors.items():
        assert torch.equal(value, ends[1].tensors[name]), name


def test_non_finite_loss_raises(make_context: MakeContext, student: GeneratorNetwork) -> None:
    context = after_two(make_context, with_stage(learning_rate=Linear(1e30, 1e30)))
    with pytest.raises(DivergedError, match="stopped being finite"):
        train(context.stage, [student], context)


def test_feature_networks_learn_their_tasks(mnist: Mnist, compute: Compute) -> None:
    networks = fit_networks(mnist.training_split, 25, compute, seed=3)
    assert [network.shape for network in networks] == list(ONE_PER_TASK.values())
    images = mnist.training_split.batch(torch.arange(len(mnist.training_split)), (0.0, 1.0))
    pixels = images.flatten(1)
    for name, network in zip(ONE_PER_TASK, networks, strict=True):
        output = network(images)
        if network.shape.task == "labels":
            assert (output.argmax(dim=1) == mnist.training_split.labels).float().mean() > 0.8, name
        elif network.shape.task == "pixels":
            torch.manual_seed(3)
            fresh = compute.place(FeatureNetwork(network.shape))(images)
            assert (output - pixels).square().mean() < 0.2 * (fresh - pixels).square().mean(), name


@pytest.mark.parametrize("name", POOL)
def test_freezing_keeps_features(name: str) -> None:
    torch.manual_seed(2)
    network = FeatureNetwork(POOL[name]).eval()
    images = torch.rand(5, 1, 28, 28)
    before = [group.detach() for group in network.groups(images)]
    assert before[-1].shape[1] == (POOL[name].code or POOL[name].layers[-1].channels)
    torch.testing.assert_close(network.frozen().groups(images), before, rtol=1e-4, atol=1e-4)
