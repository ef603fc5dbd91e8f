"""How fast the training loop is, in images a second: what its benchmarks share."""

import statistics
from dataclasses import replace
from pathlib import Path

import torch

from training.config import Preset
from training.data import Digits, load_mnist
from training.run.device import choose, make_deterministic
from training.run.directory import RunDirectory
from training.run.distributed import World
from training.stages.adversarial import train

STEPS = 12
WARM_UP = 3


def digits_of(data: Path, preset: Preset) -> Digits:
    """As many training digits as STEPS take."""
    return load_mnist(data, torch.device("cpu")).train.select(slice(STEPS * preset.batch_size))


def rate(preset: Preset, digits: Digits, folder: Path, world: World | None = None) -> float:
    """The median images/s of a step of the real loop, after a warm-up; the run is written into a fresh folder."""
    compute = choose("auto", preset.architecture)
    make_deterministic(compute)
    run = RunDirectory(folder)
    if world is None or world.is_first:
        run.create(preset)
    short = replace(preset, epochs=1, log_every=1, batch_norm_samples=0)
    train(short, digits, run, compute, world=world)
    return float(statistics.median(line["images_per_second"] for line in run.read_metrics()[WARM_UP:]))
