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
) -> None:
    """Export a generator: write model.onnx, model.torchscript.pt and card.json, verified against PyTorch.

    Example: python export/export.py dcgan --out exported/dcgan
    """
    from export.build import build, in_float32  # late: PyTorch takes seconds to import
    from training.run import checkpoint as checkpoints

    checkpoint = checkpoints.read(locate(source))
    card = build(in_float32(checkpoint) if float32 else checkpoint, out)
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
