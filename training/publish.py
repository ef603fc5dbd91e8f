"""Make a generator the bundled model of its preset: python training/publish.py RUN/generators/FILE.

The file becomes training/weights/NAME.safetensors, and its export mnistgen/models/NAME. What the run wrote about itself
comes along, in training/weights/NAME.
"""

if __name__ == "__main__":  # before all that takes long to import, so that Ctrl-C is one line there too
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository, whatever folder this is called from
    from training.run.script import run

    run("training.publish")

import shutil
from pathlib import Path
from typing import Annotated

import typer

from mnistgen._catalog import MODELS
from mnistgen._errors import shown
from training.errors import CheckpointError
from training.presets import PRESETS

RECORD = ("preset.json", "metrics.jsonl", "losses.png")  # of a run directory


def main(checkpoint: Annotated[Path, typer.Argument(help="A generator of a finished run.")]) -> None:
    """Make a generator the bundled model of its preset."""
    from export.build import convert  # late: PyTorch takes seconds to import
    from training.run import checkpoint as checkpoints

    generator = checkpoints.read(checkpoint)
    name = generator.header.preset.name
    if name not in PRESETS:
        raise CheckpointError(f"{checkpoint}: expected a preset of training/presets.py, got {shown(name)}")
    made, bundled = convert(generator), MODELS / name
    checkpoints.write(checkpoints.WEIGHTS / f"{name}.safetensors", generator)
    for path in (checkpoint.resolve().parents[1] / file for file in RECORD):
        if path.is_file():
            (record := checkpoints.WEIGHTS / name).mkdir(exist_ok=True)
            shutil.copyfile(path, record / path.name)
    made.write(bundled, torchscript=False)  # which is for PyTorch's users, who have the repository
    print(f"{bundled}: {name}, {made.card.parameters:,} parameters, {len(made.graph) / 2**20:.1f} MiB")
