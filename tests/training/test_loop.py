"""The loop, in this process: resuming every kind of preset, diverging, and data."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from tests.training.small import SMALL
from training.config import Penalties, Preset, from_json, to_json
from training.data import Digits
from training.errors import CheckpointError, DivergedError, TrainingError
from training.players import build_players
from training.run import checkpoint as checkpoints
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.stages.adversarial import Scoring, epoch_order, train


def new_run(path: Path, preset: Preset) -> RunDirectory:
    run = RunDirectory(path)
    run.create(preset)
    return run


def test_resumed_is_the_same_to_the_bit(preset: Preset, digits: Digits, compute: Compute, tmp_path: Path) -> None:
    straight = new_run(tmp_path / "whole", preset)
    train(preset, digits, straight, compute)
    whole = checkpoints.read(straight.last_checkpoint())
    run = new_run(tmp_path / "halves", preset)
    train(dataclasses.replace(preset, epochs=1), digits, run, compute)
    middle = checkpoints.read(run.last_checkpoint())
    torch.manual_seed(99)
    train(preset, digits, run, compute, start=middle)
    resumed = checkpoints.read(run.last_checkpoint())
    assert whole.tensors.keys() == resumed.tensors.keys()
    for name, value in whole.tensors.items():
        assert torch.equal(value, resumed.tensors[name]), name


def test_the_seed_makes_the_run(preset: Preset, digits: Digits, compute: Compute, tmp_path: Path) -> None:
    runs = [
        train(dataclasses.replace(preset, seed=seed, epochs=1), digits, new_run(tmp_path / str(index), preset), compute)
        for index, seed in enumerate((3, 3, 4))
    ]
    parts = [run.part("generator") for run in runs]
    assert all(torch.equal(parts[0][name], parts[1][name]) for name in parts[0])
    assert not all(torch.equal(parts[0][name], parts[2][name]) for name in parts[0])


def test_a_loss_that_is_not_finite_stops_the_run(
    preset: Preset, digits: Digits, compute: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.objectives.losses import BinaryCrossEntropy

    loss, calls = BinaryCrossEntropy.generator, 0

    def failing(self: BinaryCrossEntropy, scores: torch.Tensor, real_scores: torch.Tensor | None) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(self, scores, real_scores) * (float("nan") if calls == 5 else 1.0)

    monkeypatch.setattr(BinaryCrossEntropy, "generator", failing)
    run = new_run(tmp_path / "run", preset)
    with pytest.raises(DivergedError) as error:
        train(preset, digits, run, compute)
    last = run.checkpoints / "0000003.safetensors"
    assert str(error.value) == f"the losses stopped being finite at step 5; the last good checkpoint is {last}"
    assert run.last_checkpoint() == last
    checkpoints.read(last)


def test_too_few_digits_for_a_batch(digits: Digits, compute: Compute, tmp_path: Path, preset: Preset) -> None:
    few = dataclasses.replace(digits, images=digits.images[:10], labels=digits.labels[:10])
    with pytest.raises(TrainingError, match="batch_size: expected at most the 10 digits"):
        train(preset, few, new_run(tmp_path / "run", preset), compute)


def test_every_epoch_has_its_own_order() -> None:
    orders = [epoch_order(100, seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(100))
    assert len({tuple(order.tolist()) for order in orders}) == 4


def scores_of(*values: float) -> Scoring:
    """A scoring that has seen it all before."""
    left = list(values)
    return Scoring(lambda images: left.pop(0), torch.arange(20) % 10)


class TestChoice:
    PRESET = dataclasses.replace(SMALL["mlp"], epochs=4)

    def test_the_generator_of_the_lowest_score_is_given_away(
        self, digits: Digits, compute: Compute, tmp_path: Path
    ) -> None:
        run = new_run(tmp_path / "run", self.PRESET)
        best = train(self.PRESET, digits, run, compute, scoring=scores_of(9, 4, 6, 5))
        assert best.header.step == 16
        assert set(best.tensors) == {
            f"generator.{name}" for name in build_players(self.PRESET, compute).generator.state_dict()
        }
        assert [line["ratio"] for line in run.read_metrics() if "ratio" in line] == [9, 4, 6, 5]

    def test_patience_ends_a_run_that_gets_no_better(self, digits: Digits, compute: Compute, tmp_path: Path) -> None:
        preset = dataclasses.replace(self.PRESET, epochs=9, patience=2)
        run = new_run(tmp_path / "run", preset)
        best = train(preset, digits, run, compute, scoring=scores_of(9, 4, 6, 5))
        assert best.header.step == 16
        assert checkpoints.read(run.last_checkpoint()).header.step == 32

    def test_a_resumed_run_knows_what_was_best(self, digits: Digits, compute: Compute, tmp_path: Path) -> None:
        run = new_run(tmp_path / "run", self.PRESET)
        half = dataclasses.replace(self.PRESET, epochs=2)
        train(half, digits, run, compute, scoring=scores_of(9, 4))
        middle = checkpoints.read(run.last_checkpoint())
        best = train(self.PRESET, digits, run, compute, scoring=scores_of(6, 5), start=middle)
        assert best.header.step == 16

    def test_without_scores_the_last_is_given_away(self, digits: Digits, compute: Compute, tmp_path: Path) -> None:
        run = new_run(tmp_path / "run", self.PRESET)
        assert train(self.PRESET, digits, run, compute).header.step == 32


@pytest.mark.parametrize("kinds", [("r1", "r2"), ("gradient",)])
def test_everything_that_a_preset_can_ask_for(
    kinds: tuple[str, ...], digits: Digits, compute: Compute, tmp_path: Path
) -> None:
    """Schedules, penalties and a paired loss go through the loop."""
    preset = dataclasses.replace(
        SMALL["conv"],
        discriminator={**SMALL["conv"].discriminator, "final": "none"},
        loss="relativistic",
        learning_rate={"kind": "cosine", "start": 3e-4, "end": 1e-5, "warm_up": 0.1},
        betas=(0.0, {"kind": "linear", "start": 0.9, "end": 0.99}),
        penalties=Penalties(kinds=kinds, weight={"kind": "exponential", "start": 1.0, "end": 0.1}, every=3),
    )
    assert from_json(json.loads(json.dumps(to_json(preset)))) == preset
    run = new_run(tmp_path / "whole", preset)
    train(preset, digits, run, compute)
    whole = checkpoints.read(run.last_checkpoint())
    free = dataclasses.replace(preset, penalties=None)
    other = new_run(tmp_path / "free", free)
    train(free, digits, other, compute)
    unpenalised = checkpoints.read(other.last_checkpoint())
    name = next(key for key in whole.tensors if key.startswith("discriminator."))
    assert not torch.equal(whole.tensors[name], unpenalised.tensors[name])


class TestCheckpoint:
    @pytest.fixture
    def path(self, digits: Digits, compute: Compute, preset: Preset, tmp_path: Path) -> Path:
        run = new_run(tmp_path / "run", preset)
        train(dataclasses.replace(preset, epochs=1), digits, run, compute)
        return run.last_checkpoint()

    def test_every_changed_byte_is_noticed(self, path: Path) -> None:
        content = path.read_bytes()
        for place in (0, 3, 40, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(CheckpointError, match=str(path)):
                checkpoints.read(path)

    def test_foreign_files(self, path: Path, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
        with pytest.raises(CheckpointError, match="not a checkpoint or cache of mnistgen"):
            checkpoints.read(tmp_path / "foreign.safetensors")
        with pytest.raises(CheckpointError, match="no such checkpoint"):
            checkpoints.read(tmp_path / "none.safetensors")

    def test_another_preset(self, path: Path) -> None:
        checkpoint = checkpoints.read(path)
        other = dataclasses.replace(checkpoint.header.preset, latent_dim=7)
        with pytest.raises(CheckpointError, match="latent_dim 100, the preset says 7"):
            checkpoints.check_preset(checkpoint, other)
        checkpoints.check_preset(checkpoint, dataclasses.replace(checkpoint.header.preset, epochs=999))
