"""Bundle a trained model as the model of its preset: python training/publish.py RUN/4-encoder.safetensors.

The file is copied to training/weights/NAME.safetensors, the run's metrics and loss curves to training/weights/NAME, and
the exported model is written to mnistgen/models/NAME.
"""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.errors import run_script

    run_script("training.publish")

import shutil
from pathlib import Path
from typing import Annotated

import typer

from export.build import convert
from mnistgen._errors import shown
from mnistgen._model import MODELS
from training.errors import CheckpointError
from training.model import WEIGHTS, load_model
from training.presets import PRESETS

RECORD = ("metrics.jsonl", "losses.png")  # files of the run directory that are copied


def main(file: Annotated[Path, typer.Argument(help="The last model of a finished run.")]) -> None:
    """Bundle a trained model as the model of its preset."""
    model = load_model(file)
    export, name = convert(model), model.preset.name
    if name not in PRESETS or export.card.name != name:
        raise CheckpointError(f"{file}: expected a preset trained on MNIST, got {shown(export.card.name)}")
    bundled = Path(str(MODELS)) / name
    model.save(WEIGHTS / f"{name}.safetensors")
    for path in (file.resolve().parent / each for each in RECORD):
        if path.is_file():
            (WEIGHTS / name).mkdir(exist_ok=True)
            shutil.copyfile(path, WEIGHTS / name / path.name)
    export.write(bundled, torchscript=False)  # PyTorch users can export it from the repository
    size = len(export.files["model.onnx"]) / 2**20
    print(f"{bundled}: {name}, {export.card.parameters:,} parameters, {size:.1f} MiB")
