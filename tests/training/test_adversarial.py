"""The adversarial stage, in this process: resuming every kind of preset, the best generator, diverging, and data."""

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


def test_resumed_is_the_same_to_the_bit(preset: Preset, make_context: MakeContext) -> None:
    straight = make_context(preset, name="whole")
    run(straight)
    halves = make_context(change(preset, epochs=1), name="halves")
    run(halves)
    torch.manual_seed(99)
    run(make_context(preset, name="halves", start=last(halves)))
    whole, resumed = last(straight), last(halves)
    assert (resumed.header.stage, resumed.header.step) == (0, 14)
    assert whole.tensors.keys() == resumed.tensors.keys()
    for name, value in whole.tensors.items():
        assert torch.equal(value, resumed.tensors[name]), name


def test_the_seed_makes_the_run(preset: Preset, make_context: MakeContext) -> None:
    generators = [
        run(make_context(change(preset, epochs=1, seed=seed), name=str(index))).state_dict()
        for index, seed in enumerate((3, 3, 4))
    ]
    assert all(torch.equal(generators[0][name], generators[1][name]) for name in generators[0])
    assert not all(torch.equal(generators[0][name], generators[2][name]) for name in generators[0])


def test_a_loss_that_is_not_finite_stops_the_run(
    preset: Preset, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_too_few_digits_for_a_batch(preset: Preset, make_context: MakeContext, mnist: Mnist) -> None:
    few = Mnist(mnist.train.select(slice(10)), mnist.test)
    with pytest.raises(TrainingError, match="batch_size: expected at most the 9 digits"):
        run(make_context(preset, mnist=few))


def test_every_epoch_has_its_own_order() -> None:
    orders = [epoch_order(100, seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(100))
    assert len({tuple(order.tolist()) for order in orders}) == 4


class TestChoice:
    PRESET = change(SMALL["mlp"], epochs=4)

    def test_the_best_generator_is_handed_on(self, make_context: MakeContext) -> None:
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

    def test_patience_ends_a_run_that_gets_no_better(self, make_context: MakeContext) -> None:
        context = make_context(with_stage(self.PRESET, epochs=9, patience=2), 9, 4, 6, 5)
        run(context)
        assert context.run.read_generator(context.preset, 0)
        assert last(context).header.step == 28

    def test_a_resumed_run_knows_what_was_best(self, make_context: MakeContext) -> None:
        half = make_context(change(self.PRESET, epochs=2), 9, 4)
        best = run(half)
        resumed = run(make_context(self.PRESET, 6, 5, start=last(half)))
        for name, value in best.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[name])

    def test_a_finished_stage_is_not_run_again(self, make_context: MakeContext) -> None:
        context = make_context(self.PRESET, 9, 4, 6, 5)
        generator = run(context)
        again = run(make_context(self.PRESET, start=last(context)))
        for name, value in generator.state_dict().items():
            assert torch.equal(value, again.state_dict()[name])


@pytest.mark.parametrize("kinds", [("r1", "r2"), ("gradient",)])
def test_everything_that_a_preset_can_ask_for(kinds: tuple[str, ...], make_context: MakeContext) -> None:
    """Schedules, penalties and a paired loss go through the loop."""
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

    def test_every_changed_byte_is_noticed(self, context: Context) -> None:
        path = next(context.run.checkpoints.iterdir())
        content = path.read_bytes()
        for place in (0, 3, 40, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(CheckpointError, match=str(path)):
                checkpoints.read(path)

    def test_another_preset(self, context: Context) -> None:
        checkpoint = last(context)
        other = dataclasses.replace(checkpoint.header.preset, latent_dim=7)
        with pytest.raises(CheckpointError, match="trained with latent_dim 100, the preset says 7"):
            checkpoints.check_preset(checkpoint, other)
        checkpoints.check_preset(checkpoint, change(checkpoint.header.preset, epochs=999))

    def test_it_is_not_exported(self, context: Context) -> None:
        with pytest.raises(CheckpointError, match="expected the file of a generator, such as RUN/generators has"):
            checkpoints.generator_of(last(context))

    def test_foreign_files(self, context: Context) -> None:
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, foreign := context.run.path / "foreign.safetensors")
        with pytest.raises(CheckpointError, match="not a checkpoint or cache of mnistgen"):
            checkpoints.read(foreign)
        with pytest.raises(CheckpointError, match="no such checkpoint"):
            checkpoints.read(context.run.path / "none.safetensors")
