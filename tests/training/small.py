"""Small versions of the presets, and train.py with them: python -m tests.training.small ARGUMENTS.

With KILL_AT_STEP=N or KILL_AT_SYNC=N in the environment, the process kills itself at its N-th call of autocast or of
fsync. PRECISION overrides the choice of the precision.
"""

import dataclasses
import os
import runpy
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export import attributes
from mnistgen import _runtime as runtime
from training import data, presets
from training.config import Adversarial, Network, Preset, Stage
from training.data import IdxFile
from training.fitting import Phase
from training.run import device
from training.run.device import Compute

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
FILES = (
    IdxFile(
        "train-images-idx3-ubyte",
        (512, 28, 28),
        "dc15d0b5d1b0c2e3735e17f364421a17ca95485dfe2e28bf4e8cc1c45b02bb2f",
    ),
    IdxFile("train-labels-idx1-ubyte", (512,), "ac62e054281959338268df783398afca3e2244b1de6612e7140bd02995181396"),
    IdxFile(
        "t10k-images-idx3-ubyte", (128, 28, 28), "022774e58a01fb2ee972c185d7e21dc96c313c6e97ea90beae35218adf180639"
    ),
    IdxFile("t10k-labels-idx1-ubyte", (128,), "4bdb12c540d94f88aadd74e4761a3bf248918aa98b8df780700bfb8de529c7d6"),
)

# Of export/attributes.py: the attribute editor of an exported model is fitted to few digits.
QUICK_ATTRIBUTES: dict[str, Any] = {
    "DIGITS": 3000,
    "HELD_OUT": 500,
    "PHASE": Phase(epochs=4, peak_learning_rate=1e-2, batch_size=512),
}

_STAGES: dict[str, dict[str, Any]] = {
    "adversarial": {
        "epochs": 2,
        "batch_size": 64,  # seven steps an epoch
        "log_every": 2,
        "evaluate_every": 1,
        "sample_every": 4,
        "sample_unit": "step",
        "checkpoint_every": 3,
    },
    "distillation": {"bank": 80, "steps": 8, "batch_size": 40, "log_every": 2, "evaluate_every": 4},
    "moment-matching": {"steps": 6, "batch_size": 40, "memory": 80, "epochs": 1, "log_every": 1, "evaluate_every": 2},
    "encoder": {
        "network": Network("residual", {"channels": [4, 8, 8], "hidden": 16}),
        "steps": 6,
        "batch_size": 40,
        "log_every": 1,
        "evaluate_every": 2,
    },
}
_GENERATORS: dict[str, dict[str, Any]] = {
    "conv": {"layers": [[16, 7, 1, 0], [8, 4, 2, 1], [1, 4, 2, 1]]},
    "mlp": {"widths": [16, 32]},
    "upsampling": {"hidden": [32], "channels": [8, 4, 4]},
}


def _narrow(network: Network) -> Network:
    return Network(network.architecture, network.options | _GENERATORS[network.architecture])


def _small_stage(stage: Stage) -> Stage:
    changes = _STAGES[stage.kind]
    if isinstance(stage, Adversarial) and stage.network:
        critic = Network("residual", {"channels": [4, 8, 8], "hidden": 16})
        changes = changes | {"network": _narrow(stage.network), "discriminator": critic}
    return dataclasses.replace(stage, **changes)


def _small(preset: Preset) -> Preset:
    stages = tuple(map(_small_stage, preset.stages))
    return dataclasses.replace(preset, network=_narrow(preset.network), stages=stages)


SMALL = {name: _small(preset) for name, preset in presets.PRESETS.items()}


def signal_at(count: int, function: Callable[..., Any], number: int = signal.SIGKILL) -> Callable[..., Any]:
    """Wrap a function so that its call number `count`, from 1, sends a signal to this process."""
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), number)
        return function(*arguments, **options)

    return counted


if __name__ == "__main__":
    presets.PRESETS.update(SMALL)
    data.load_mnist.__defaults__ = (FILES,)
    runtime.usable_cpus = lambda *_: 1  # no worker processes, which would not have these changes
    if precision := os.environ.get("PRECISION"):
        device._multiplies_bfloat16 = lambda device: precision == "bfloat16"
    Compute.autocast = signal_at(int(os.environ.get("KILL_AT_STEP", "0")), Compute.autocast)  # type: ignore[method-assign]
    for name, value in QUICK_ATTRIBUTES.items():
        setattr(attributes, name, value)
    os.fsync = signal_at(int(os.environ.get("KILL_AT_SYNC", "0")), os.fsync)
    runpy.run_path(str(ROOT / "training" / "train.py"), run_name="__main__")
