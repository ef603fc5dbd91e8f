"""Small presets, small data, and running scripts of training/ in this process."""

import io
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnistgen._arrays import UInt8
from tests.conftest import Outcome
from training.config import Network, Preset
from training.data import Images
from training.errors import run_script
from training.features import POOL
from training.presets import PRESETS

DATA = str(Path(__file__).resolve().parents[1] / "data")  # 512 training and 128 test digits
SMALL_EPOCH = 448  # images: seven steps, as many as a pass through the data
SMALL_POOL = {name: POOL[name] for name in ("dense", "dense-autoencoder", "untrained-code")}  # one for each task

_GENERATORS: dict[str, dict[str, Any]] = {
    "conv": {"layers": [[16, 7, 1, 0], [8, 4, 2, 1], [1, 4, 2, 1]]},
    "mlp": {"widths": [16, 32]},
    "upsampling": {"hidden": [32], "channels": [8, 4, 4]},
}
_OTHERS: dict[str, dict[str, Any]] = {
    "conv": {"layers": [[8, 4, 2, 1], [16, 4, 2, 1], [1, 7, 1, 0]]},
    "mlp": {"widths": [32, 16]},
    "residual": {"channels": [4, 8, 8], "hidden": 16},
}
_ADVERSARIAL: dict[str, Any] = {"epochs": 2, "batch_size": 64, "log_every": 2, "evaluate_every": 1}
_SAMPLES: dict[str, Any] = {"sample_every": 4, "sample_unit": "step", "checkpoint_every": 3}
_LATER_LOOPS: dict[str, Any] = {"steps": 6, "batch_size": 40, "log_every": 1, "evaluate_every": 3}


def _narrow(network: Network, sizes: dict[str, dict[str, Any]]) -> Network:
    return Network(network.architecture, network.options | sizes[network.architecture])


def _small(preset: Preset) -> Preset:
    old, changes = preset.adversarial, _ADVERSARIAL | _SAMPLES
    changes["network"] = old.network and _narrow(old.network, _GENERATORS)
    changes["discriminator"] = _narrow(old.discriminator, _OTHERS)
    changes["batch_norm_samples"] = min(old.batch_norm_samples, 500)
    preset = replace(preset, network=_narrow(preset.network, _GENERATORS), adversarial=replace(old, **changes))
    if preset.distillation and preset.moments and preset.encoder:
        distillation = replace(preset.distillation, bank=80, **_LATER_LOOPS)
        moments = replace(preset.moments, memory=80, epochs=1, **_LATER_LOOPS)
        encoder = replace(preset.encoder, network=_narrow(preset.encoder.network, _OTHERS), **_LATER_LOOPS)
        preset = replace(preset, distillation=distillation, moments=moments, encoder=encoder)
    return preset


SMALL = {name: _small(PRESETS[name]) for name in ("digits", "conv", "mlp", "mlp-dropout")}


def pixels(images: Images) -> list[bytes]:
    """The bytes of each image, to compare sets of them."""
    return [image.numpy().tobytes() for image in images.images]


def drawn(count: int, classes: int) -> tuple[UInt8, NDArray[np.int64]]:
    """Images uint8 (N, 28, 28), a random pattern for each class, in random brightness; and labels (N,)."""
    random = np.random.default_rng(0)
    patterns = np.pad(random.integers(0, 256, (classes, 20, 20)), ((0, 0), (4, 4), (4, 4)))
    labels = np.arange(count) % classes
    return (patterns[labels] * random.uniform(0.5, 1, (count, 1, 1))).astype(np.uint8), labels


def script(name: str, *arguments: object) -> Outcome:
    """Run training/NAME.py in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        patch.setattr(sys, "excepthook", sys.excepthook)  # restore what scripts replace
        patch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as stop:
            run_script(f"training.{name}")
    code = stop.value.code
    return Outcome(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def train(*arguments: object, data: object = DATA) -> Outcome:
    """Run train.py in this process, on the CPU."""
    source = () if "--resume" in arguments else ("--data", data)
    return script("train", *source, "--device", "cpu", *arguments)
