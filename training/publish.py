"""Make a checkpoint the bundled model of its preset: python training/publish.py CHECKPOINT.

The generator alone, its matrices rounded to float16, becomes training/weights/NAME.safetensors, and the export of that
file becomes mnistgen/models/NAME. A teacher's becomes training/weights/teachers/NAME.safetensors, and is not bundled.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import typer

from export.build import build
from export.errors import ExportError
from training import checkpoint as checkpoints
from training.errors import TrainingError
from training.presets import TEACHERS


def main(checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of a finished run.")]) -> None:
    """Make a checkpoint the bundled model of its preset, or keep it as a teacher."""
    try:
        slim = slimmed(checkpoints.read(checkpoint))
        name = slim.header.preset.name
        if name in TEACHERS:
            checkpoints.write(path := checkpoints.WEIGHTS / "teachers" / f"{name}.safetensors", slim)
            print(f"{path}: a teacher, which is not bundled")
            return
        with tempfile.TemporaryDirectory(dir=ROOT / "mnistgen" / "models", prefix=".publish-") as folder:
            card = build(slim, Path(folder))
            bundled = ROOT / "mnistgen" / "models" / name
            bundled.mkdir(exist_ok=True)
            checkpoints.write(checkpoints.WEIGHTS / f"{name}.safetensors", slim)
            for part in ("model.onnx", "card.json"):  # TorchScript is for PyTorch's users, who have the repository
                (Path(folder) / part).replace(bundled / part)
    except (ExportError, TrainingError) as error:
        sys.exit(f"publish.py: {error}")
    size = (bundled / "model.onnx").stat().st_size / 2**20
    print(f"{bundled}: {card.name}, {card.parameters:,} parameters, {size:.1f} MiB")


def slimmed(checkpoint: checkpoints.Checkpoint) -> checkpoints.Checkpoint:
    """The generator alone; matrices as float16, vectors (batch norm's statistics among them) as they are."""
    whole = checkpoints.capture_generator(checkpoints.generator_of(checkpoint), checkpoint.header)
    tensors = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in whole.tensors.items()
    }
    return checkpoints.Checkpoint(checkpoint.header, tensors)


if __name__ == "__main__":
    typer.run(main)
