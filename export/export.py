"""Export a generator: python export/export.py CHECKPOINT|NAME --out DIR."""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.run.script import run

    run("export.export")

from pathlib import Path
from typing import Annotated

import typer

from export.errors import ExportError
from training import WEIGHTS


def main(
    source: Annotated[
        str, typer.Argument(metavar="CHECKPOINT|NAME", help="A generator file, or a name in training/weights.")
    ],
    out: Annotated[Path, typer.Option(help="Model directory to write.")],
    float32: Annotated[
        bool, typer.Option("--float32", help="Export without the preset's quantization, for comparison.")
    ] = False,
    ir_version: Annotated[
        int | None,
        typer.Option(help="ONNX IR version to declare.", show_default="the lowest that the operators need"),
    ] = None,
) -> None:
    """Export a generator: write model.onnx, model.torchscript.pt and card.json, verified against PyTorch.

    Example: python export/export.py dcgan --out exported/dcgan
    """
    import onnx  # late: PyTorch and the rest take seconds to import

    from export.build import build, in_float32
    from export.to_onnx import MIN_IR_VERSION
    from training.run import checkpoint as checkpoints

    declared = MIN_IR_VERSION if ir_version is None else ir_version
    if not MIN_IR_VERSION <= declared <= onnx.IR_VERSION:
        raise ExportError(f"--ir-version: expected {MIN_IR_VERSION} to {onnx.IR_VERSION}, got {declared}")
    checkpoint = checkpoints.read(locate(source))
    card = build(in_float32(checkpoint) if float32 else checkpoint, out, declared)
    print(
        f"{out}: {card.name}, {card.parameters:,} parameters; sample with: mnistgen sample --model {out} --out grid.png"
    )


def locate(source: str) -> Path:
    """The generator file of a path or of a name in training/weights. Raises ExportError if there is none."""
    bundled = WEIGHTS / f"{source}.safetensors"
    if bundled.is_file() and not Path(source).is_file():
        return bundled
    if not Path(source).is_file():
        known = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
        raise ExportError(f"{source}: neither a generator file nor a name in training/weights ({known})")
    return Path(source)
