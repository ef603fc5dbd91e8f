"""The speed of adversarial training in images per second, for several benchmarks."""

import statistics
import time
from dataclasses import replace
from pathlib import Path

from training.config import Adversarial, Preset
from training.data import load_mnist
from training.networks.inputs import cyclic_labels
from training.run.device import choose, make_deterministic
from training.run.directory import RunDirectory
from training.run.distributed import World
from training.stages.adversarial import train
from training.stages.context import Context, Evaluation

STEPS = 20
WARM_UP = 4  # steps


def adversarial(preset: Preset) -> Adversarial:
    """The preset's adversarial stage, which must be its first."""
    stage = preset.stages[0]
    if not isinstance(stage, Adversarial):
        raise SystemExit(f"{preset.name}: expected an adversarial stage first, got {stage.kind}")
    return stage


def rate(preset: Preset, data: Path, folder: Path, device: str = "auto", world: World | None = None) -> float:
    """The median images/s of the training loop, after a warm-up. Writes the run into a new folder."""
    world, compute, run = world or World(), choose(device), RunDirectory(folder)
    stage = adversarial(preset)
    mnist = load_mnist(data, compute.device)
    digits = STEPS * stage.batch_size * 10 // 9 + 1  # including the tenth that is held out
    make_deterministic(compute)
    log_every = stage.penalties.every if stage.penalties else 1  # so that each line includes one step with penalties
    short = replace(stage, epochs=1, log_every=log_every, batch_norm_samples=0)
    if world.is_main:
        run.create(preset)
    start = time.monotonic()
    context = Context(
        preset=replace(preset, stages=(short, *preset.stages[1:])),
        mnist=replace(mnist, train=mnist.train.select(slice(digits))),
        run=run,
        compute=compute,
        world=world,
        evaluation=Evaluation(lambda images: 1.0, cyclic_labels(10)),
        progress=lambda *_: None,
        seconds=lambda: time.monotonic() - start,
    )
    train(short, [], context)
    return median_rate(run)


def median_rate(run: RunDirectory) -> float:
    """The median images/s in a run's metrics, after the warm-up."""
    return float(statistics.median(line["images_per_second"] for line in run.read_metrics() if line["step"] > WARM_UP))
