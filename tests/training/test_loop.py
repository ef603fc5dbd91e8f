"""The loop, in this process: resuming every kind of preset, diverging, and data."""

import dataclasses
from pathlib import Path

import pytest
import torch

from training import checkpoint as checkpoints
from training.compute import Compute
from training.data import Digits
from training.errors import CheckpointError, DivergedError, TrainingError
from training.loop import epoch_order, train
from training.presets import Preset
from training.run_directory import RunDirectory


def new_run(path: Path, preset: Preset) -> RunDirectory:
    run = RunDirectory(path)
    run.create(preset)
    return run


def test_resumed_is_the_same_to_the_bit(preset: Preset, digits: Digits, compute: Compute, tmp_path: Path) -> None:
    whole = train(preset, digits, new_run(tmp_path / "whole", preset), compute)
    run = new_run(tmp_path / "halves", preset)
    train(dataclasses.replace(preset, epochs=1), digits, run, compute)
    middle = checkpoints.read(run.last_checkpoint())
    torch.manual_seed(99)
    resumed = train(preset, digits, run, compute, start=middle)
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
    from training.losses import BinaryCrossEntropy

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
