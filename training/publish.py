"""Make a generator the bundled model of its preset: python training/publish.py RUN/generators/FILE.

The generator alone, its matrices rounded to float16, becomes training/weights/NAME.safetensors, and the export of that
file becomes mnistgen/models/NAME. What the run wrote about itself comes along, in training/weights/NAME.
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

from export.build import convert
from mnistgen.catalog import MODELS
from mnistgen.errors import shown
from training.errors import CheckpointError
from training.presets import PRESETS
from training.run import checkpoint as checkpoints

RECORD = ("preset.json", "metrics.jsonl", "losses.png")  # of a run directory


def main(checkpoint: Annotated[Path, typer.Argument(help="A generator of a finished run.")]) -> None:
    """Make a generator the bundled model of its preset."""
    slim = slimmed(checkpoints.read(checkpoint))
    name = slim.header.preset.name
    if name not in PRESETS:
        raise CheckpointError(f"{checkpoint}: expected a preset of training/presets.py, got {shown(name)}")
    made, bundled = convert(slim), MODELS / name
    checkpoints.write(checkpoints.WEIGHTS / f"{name}.safetensors", slim)
    for path in (checkpoint.resolve().parents[1] / file for file in RECORD):
        if path.is_file():
            (record := checkpoints.WEIGHTS / name).mkdir(exist_ok=True)
            shutil.copyfile(path, record / path.name)
    made.write(bundled, torchscript=False)  # which is for PyTorch's users, who have the repository
    print(f"{bundled}: {name}, {made.card.parameters:,} parameters, {len(made.graph) / 2**20:.1f} MiB")


def slimmed(checkpoint: checkpoints.Checkpoint) -> checkpoints.Checkpoint:
    """The generator alone; matrices as float16, vectors (batch norm's statistics among them) as they are."""
    whole = checkpoints.of_generator(checkpoints.generator_of(checkpoint), checkpoint.header)
    tensors = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in whole.tensors.items()
    }
    return checkpoints.Checkpoint(checkpoint.header, tensors)
