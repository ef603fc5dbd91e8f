"""Export a trained model: python export/export.py NAME|FILE --out DIR."""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.errors import run_script

    run_script("export.export")

from pathlib import Path
from typing import Annotated

import typer

from export import IR_VERSION, ExportError


def main(
    source: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A name in training/weights, or a model file.")],
    out: Annotated[Path, typer.Option(help="Model directory to write.")],
    float32: Annotated[bool, typer.Option("--float32", help="Omit the preset's quantization.")] = False,
    ir_version: Annotated[int, typer.Option(help="ONNX IR version to declare.")] = IR_VERSION,
) -> None:
    """Export a model: write model.onnx, model.torchscript.pt and card.json, verified against PyTorch.

    Example: python export/export.py dcgan --out exported/dcgan
    """
    import onnx  # late: PyTorch and the rest take seconds to import

    from export.build import build, in_float32
    from training.model import WEIGHTS, load_model

    if not IR_VERSION <= ir_version <= onnx.IR_VERSION:
        raise ExportError(f"--ir-version: expected {IR_VERSION} to {onnx.IR_VERSION}, got {ir_version}")
    path = Path(source) if Path(source).is_file() else WEIGHTS / f"{source}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
        raise ExportError(f"{source}: neither a name in training/weights ({known}) nor a model file")
    model = load_model(path)
    card = build(in_float32(model) if float32 else model, out, ir_version)
    print(f"{out}: {card.name}, exported; sample with: mnistgen sample --model {out} --out grid.png")
