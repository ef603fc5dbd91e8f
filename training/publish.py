"""Bundle a trained generator as the model of its preset: python training/publish.py RUN/generators/FILE.

The file is copied to training/weights/NAME.safetensors, the run's preset, metrics and loss curves to
training/weights/NAME, and the exported model is written to mnistgen/models/NAME.
"""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.run.script import run

    run("training.publish")

import shutil
from pathlib import Path
from typing import Annotated

import typer

from mnistgen._errors import shown
from mnistgen._model import MODELS
from training.errors import CheckpointError
from training.presets import PRESETS

RECORD = ("preset.json", "metrics.jsonl", "losses.png")  # files of the run directory that are copied


def main(checkpoint: Annotated[Path, typer.Argument(help="A generator file of a finished run.")]) -> None:
    """Bundle a trained generator as the model of its preset."""
    from export.build import convert  # late: PyTorch takes seconds to import
    from training.run import checkpoint as checkpoints

    generator = checkpoints.read(checkpoint)
    name = generator.header.preset.name
    if name not in PRESETS:
        raise CheckpointError(f"{checkpoint}: expected a preset of training/presets.py, got {shown(name)}")
    export, bundled = convert(generator), Path(str(MODELS)) / name
    checkpoints.write(checkpoints.WEIGHTS / f"{name}.safetensors", generator)
    for path in (checkpoint.resolve().parents[1] / file for file in RECORD):
        if path.is_file():
            (record := checkpoints.WEIGHTS / name).mkdir(exist_ok=True)
            shutil.copyfile(path, record / path.name)
    export.write(bundled, torchscript=False)  # PyTorch users can export it from the repository
    size = len(export.files["model.onnx"]) / 2**20
    print(f"{bundled}: {name}, {export.card.parameters:,} parameters, {size:.1f} MiB")
