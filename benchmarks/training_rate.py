"""The speed of adversarial training in images per second, for several benchmarks."""

import statistics
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

from training.config import Preset, to_json
from training.data import DataSet, load_data
from training.device import choose, make_deterministic
from training.run import Run
from training.train import train_adversarial

STEPS = 20
WARM_UP = 4  # steps


def rate(preset: Preset, folder: Path, out: Path, device: str = "auto") -> float:
    """The median images/s of the adversarial loop on MNIST, after a warm-up. Writes the run into a new folder `out`."""
    compute, run, config = choose(device), Run(out), preset.adversarial
    make_deterministic(compute)
    run.create({"preset": to_json(preset), "data": "mnist"})
    log_every = config.penalties.every if config.penalties else 1  # so that each line includes one step with penalties
    short = replace(preset.teacher, adversarial=replace(config, epochs=1, log_every=log_every, batch_norm_samples=0))
    unevaluated: Any = SimpleNamespace(ratio=lambda images: 1.0, target=SimpleNamespace(labels=np.arange(10)))
    images = STEPS * config.batch_size
    data = first(load_data(str(folder / "MNIST"), compute.device), images)
    with redirect_stdout(None), patch("training.train.EPOCH", images):
        train_adversarial(short, data, unevaluated, run, compute)
    rates = [line["images_per_second"] for line in run.read_metrics() if "ratio" not in line and line["step"] > WARM_UP]
    return float(statistics.median(rates))


def first(data: DataSet, count: int) -> DataSet:
    """The first training images, of which about `count`, and at least as many, are not held out."""
    return replace(data, train=data.train.select(slice(count * 10 // 9 + len(data.classes) + 1)))
