"""Refinement, in this process: the moments come nearer, a resumed one is the same to the bit, and what it refuses."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.small import SMALL
from training.config import Preset, Refinement, from_json, to_json
from training.data import Mnist
from training.errors import CheckpointError, DivergedError, PresetError
from training.objectives.features import PANELS, fit_networks
from training.run import checkpoint as checkpoints
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.stages.adversarial import Scoring, train
from training.stages.moment_matching import check_epochs, first_steps, is_refined, refine

PRESET = dataclasses.replace(SMALL["residual"], epochs=1)


def changed(**changes: Any) -> Preset:
    assert PRESET.refinement is not None
    return dataclasses.replace(PRESET, refinement=dataclasses.replace(PRESET.refinement, **changes))


def trained(path: Path, preset: Preset, mnist: Mnist, compute: Compute, scoring: Scoring) -> RunDirectory:
    run = RunDirectory(path)
    run.create(preset)
    train(preset, mnist.fitting, run, compute, scoring=scoring)
    return run


def test_moments_come_nearer(mnist: Mnist, compute: Compute, scoring: Scoring, tmp_path: Path) -> None:
    preset = changed(steps=80, learning_rate=1e-3, memory=400, score_every=40)
    run = trained(tmp_path, preset, mnist, compute, scoring)
    best = refine(preset, mnist.fitting, run, compute, scoring=scoring)
    lines = [line for line in run.read_metrics() if "moments" in line]
    assert lines[-1]["moments"] < 0.5 * lines[0]["moments"]
    assert best.header.step == lines[-1]["step"] == first_steps(preset, mnist.fitting) + 80
    assert best.header.preset == preset
    assert not best.part("moments")


def test_resumed_is_the_same_to_the_bit(mnist: Mnist, compute: Compute, scoring: Scoring, tmp_path: Path) -> None:
    straight = trained(tmp_path / "whole", PRESET, mnist, compute, scoring)
    refine(PRESET, mnist.fitting, straight, compute, scoring=scoring)
    whole = checkpoints.read(straight.last_checkpoint())
    assert is_refined(whole)

    run = trained(tmp_path / "halves", PRESET, mnist, compute, scoring)
    before = checkpoints.read(run.last_checkpoint())
    assert not is_refined(before)
    stopped: list[int] = []

    def stop(step: int, steps: int, metrics: dict[str, float] | None) -> None:
        stopped.append(step)
        if len(stopped) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine(PRESET, mnist.fitting, run, compute, scoring=scoring, report=stop)
    middle = checkpoints.read(run.last_checkpoint())
    assert is_refined(middle)
    assert before.header.step < middle.header.step < whole.header.step
    torch.manual_seed(99)
    run.rewind(middle.header.step)
    refine(PRESET, mnist.fitting, run, compute, scoring=scoring, start=middle)
    resumed = checkpoints.read(run.last_checkpoint())
    assert whole.tensors.keys() == resumed.tensors.keys()
    for name, value in whole.tensors.items():
        assert torch.equal(value, resumed.tensors[name]), name
    ratios = [[line.get("ratio") for line in part.read_metrics()] for part in (straight, run)]
    assert ratios[0] == ratios[1]


def test_a_killed_first_look_leaves_the_beginning_as_it_was(
    mnist: Mnist, compute: Compute, scoring: Scoring, tmp_path: Path
) -> None:
    run = trained(tmp_path, PRESET, mnist, compute, scoring)

    def stop(step: int, steps: int, metrics: dict[str, float] | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine(PRESET, mnist.fitting, run, compute, scoring=scoring, report=stop)
    beginning = checkpoints.read(run.last_checkpoint())
    assert is_refined(beginning)
    best = checkpoints.read(run.best)
    assert torch.equal(beginning.part("average")["layers.0.weight"], best.part("generator")["layers.0.weight"])


def test_moments_that_are_not_finite_stop_it(mnist: Mnist, compute: Compute, scoring: Scoring, tmp_path: Path) -> None:
    preset = changed(learning_rate=1e30)
    run = trained(tmp_path, preset, mnist, compute, scoring)
    with pytest.raises(DivergedError, match="stopped being finite"):
        refine(preset, mnist.fitting, run, compute, scoring=scoring)


def test_other_epochs_are_refused_once_it_has_begun() -> None:
    header = checkpoints.Header(preset=PRESET, step=9, data_sha256="", device="cpu", precision="float32", threads=1)
    begun = checkpoints.Checkpoint(header, {"moments.overall-0.weight": torch.ones(())})
    check_epochs(begun, PRESET, 432)
    with pytest.raises(CheckpointError, match="all 1 are done and the generator is being refined, got 2; leave"):
        check_epochs(begun, dataclasses.replace(PRESET, epochs=2), 432)


def test_presets_that_refine_survive_json() -> None:
    assert from_json(to_json(PRESET)) == PRESET
    assert isinstance(from_json(to_json(PRESET)).refinement, Refinement)


def test_classes_share_a_batch_evenly() -> None:
    with pytest.raises(PresetError, match="refinement: expected a batch_size that 10 divides, got 45"):
        changed(batch_size=45)


@pytest.mark.parametrize("panel", PANELS)
def test_networks_that_learn_read_digits(panel: str, mnist: Mnist, compute: Compute) -> None:
    networks = fit_networks(mnist.fitting, panel, 25, compute, seed=3)
    images = mnist.fitting.batch(torch.arange(len(mnist.fitting)), (0.0, 1.0))
    read = [(network(images).argmax(dim=1) == mnist.fitting.labels).float().mean().item() for network in networks]
    assert [share > 0.8 for share in read] == [network.has_learned for network in networks]
    assert len(networks) == len(PANELS[panel].shapes)
    for network in networks:
        assert [group.shape[1] for group in network.compared(images[:2])] == network.sizes
