"""The adversarial stage: resuming, selection of the best generator, divergence, data and checkpoints."""

import dataclasses
from typing import Any

import pytest
import torch

from tests.training.conftest import MakeContext
from tests.training.small import SMALL
from training.config import Adversarial, Network, Penalties, Preset, change
from training.data import Mnist
from training.errors import CheckpointError, DivergedError, TrainingError
from training.networks.generator import GeneratorNetwork
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint
from training.schedules import Cosine, Exponential, Linear
from training.stages.adversarial import epoch_order, train
from training.stages.context import Context


def run(context: Context) -> GeneratorNetwork:
    return train(context.stage, [], context)


def last(context: Context) -> Checkpoint:
    checkpoint = context.run.last()
    assert checkpoint
    return checkpoint


def with_stage(preset: Preset, **changes: Any) -> Preset:
    return dataclasses.replace(preset, stages=(dataclasses.replace(preset.stages[0], **changes),))


def test_resume_is_bitwise_identical(preset: Preset, make_context: MakeContext) -> None:
    uninterrupted = make_context(preset, name="uninterrupted")
    run(uninterrupted)
    interrupted = make_context(change(preset, epochs=1), name="interrupted")
    run(interrupted)
    torch.manual_seed(99)
    run(make_context(preset, name="interrupted", start=last(interrupted)))
    expected, resumed = last(uninterrupted), last(interrupted)
    assert (resumed.header.stage, resumed.header.step) == (0, 14)
    assert expected.tensors.keys() == resumed.tensors.keys()
    for name, value in expected.tensors.items():
        assert torch.equal(value, resumed.tensors[name]), name


def test_run_depends_on_seed(preset: Preset, make_context: MakeContext) -> None:
    generators = [
        run(make_context(change(preset, epochs=1, seed=seed), name=str(index))).state_dict()
        for index, seed in enumerate((3, 3, 4))
    ]
    assert all(torch.equal(generators[0][name], generators[1][name]) for name in generators[0])
    assert not all(torch.equal(generators[0][name], generators[2][name]) for name in generators[0])


def test_non_finite_loss_raises(preset: Preset, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.objectives.losses import BinaryCrossEntropy

    loss, calls = BinaryCrossEntropy.generator, 0

    def failing(self: BinaryCrossEntropy, scores: torch.Tensor, real_scores: torch.Tensor | None) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(self, scores, real_scores) * (float("nan") if calls == 5 else 1.0)

    monkeypatch.setattr(BinaryCrossEntropy, "generator", failing)
    context = make_context(preset)
    with pytest.raises(DivergedError) as error:
        run(context)
    good = context.run.checkpoints / "0-0000003.safetensors"
    assert str(error.value) == f"the losses stopped being finite at step 5; the last good checkpoint is {good}"
    assert last(context).header.step == 3


def test_too_few_digits_raise(preset: Preset, make_context: MakeContext, mnist: Mnist) -> None:
    few = Mnist(mnist.train.select(slice(10)), mnist.test)
    with pytest.raises(TrainingError, match="batch_size: expected at most the 9 digits"):
        run(make_context(preset, mnist=few))


def test_epochs_are_shuffled_differently() -> None:
    orders = [epoch_order(100, seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(100))
    assert len({tuple(order.tolist()) for order in orders}) == 4


class TestSelection:
    PRESET = change(SMALL["mlp"], epochs=4)

    def test_returns_best_generator(self, make_context: MakeContext) -> None:
        context = make_context(self.PRESET, 9, 4, 6, 5)
        generator = run(context)
        best = checkpoints.read(context.run.generators / "0-adversarial-best.safetensors")
        assert best.header.steps == (14,)
        assert not best.is_resumable
        assert set(best.tensors) == {f"generator.{name}" for name in generator.state_dict()}
        for name, value in generator.state_dict().items():
            assert torch.equal(value, best.tensors[f"generator.{name}"])
        assert not generator.training
        assert not any(parameter.requires_grad for parameter in generator.parameters())
        assert [line["ratio"] for line in context.run.read_metrics() if "ratio" in line] == [9, 4, 6, 5]

    def test_patience_stops_early(self, make_context: MakeContext) -> None:
        context = make_context(with_stage(self.PRESET, epochs=9, patience=2), 9, 4, 6, 5)
        run(context)
        assert context.run.read_generator(context.preset, 0)
        assert last(context).header.step == 28

    def test_resume_remembers_best_generator(self, make_context: MakeContext) -> None:
        half = make_context(change(self.PRESET, epochs=2), 9, 4)
        best = run(half)
        resumed = run(make_context(self.PRESET, 6, 5, start=last(half)))
        for name, value in best.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[name])

    def test_finished_stage_is_not_repeated(self, make_context: MakeContext) -> None:
        context = make_context(self.PRESET, 9, 4, 6, 5)
        generator = run(context)
        again = run(make_context(self.PRESET, start=last(context)))
        for name, value in generator.state_dict().items():
            assert torch.equal(value, again.state_dict()[name])


@pytest.mark.parametrize("kinds", [("r1", "r2"), ("gradient",)])
def test_schedules_penalties_and_paired_loss(kinds: tuple[str, ...], make_context: MakeContext) -> None:
    """The loop supports schedules, penalties and a paired loss."""
    stage = SMALL["conv"].stages[0]
    assert isinstance(stage, Adversarial)
    preset = with_stage(
        SMALL["conv"],
        discriminator=Network("conv", stage.discriminator.options | {"final": "none"}),
        loss="relativistic",
        learning_rate=Cosine(3e-4, 1e-5, warm_up=0.1),
        betas=(0.0, Linear(0.9, 0.99)),
        penalties=Penalties(kinds=kinds, weight=Exponential(1.0, 0.1), every=3),
    )
    with_penalties, without = (
        make_context(each, name=name)
        for name, each in (("with", preset), ("without", with_stage(preset, penalties=None)))
    )
    run(with_penalties)
    run(without)
    tensors = last(with_penalties).tensors
    name = "discriminator.layers.0.weight"
    assert not torch.equal(tensors[name], last(without).tensors[name])


class TestCheckpoint:
    @pytest.fixture
    def context(self, preset: Preset, make_context: MakeContext) -> Context:
        context = make_context(change(preset, epochs=1))
        run(context)
        return context

    def test_changed_bytes_are_detected(self, context: Context) -> None:
        path = next(context.run.checkpoints.iterdir())
        content = path.read_bytes()
        for offset in (0, 3, 40, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
            with pytest.raises(CheckpointError, match=str(path)):
                checkpoints.read(path)

    def test_other_preset_raises(self, context: Context) -> None:
        checkpoint = last(context)
        other = dataclasses.replace(checkpoint.header.preset, latent_dim=7)
        with pytest.raises(CheckpointError, match="trained with latent_dim 100, but the preset has 7"):
            checkpoints.check_preset(checkpoint, other)
        checkpoints.check_preset(checkpoint, change(checkpoint.header.preset, epochs=999))

    def test_training_checkpoint_is_not_exportable(self, context: Context) -> None:
        with pytest.raises(CheckpointError, match="expected a generator file, as in RUN/generators"):
            checkpoints.generator_of(last(context))

    def test_other_files_raise(self, context: Context) -> None:
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, other := context.run.path / "other.safetensors")
        with pytest.raises(CheckpointError, match="not a checkpoint or cache of mnistgen"):
            checkpoints.read(other)
        with pytest.raises(CheckpointError, match="no such checkpoint"):
            checkpoints.read(context.run.path / "none.safetensors")
