"""Train a preset on MNIST and export the generator: python training/train.py --preset dcgan."""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.run.script import run

    run("training.train")

import json
from pathlib import Path
from typing import Annotated

import typer

from training.config import to_json
from training.presets import DEFAULT, PRESETS


def main(
    preset: Annotated[str | None, typer.Option(help=f"One of: {', '.join(PRESETS)}.", show_default=DEFAULT)] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs of adversarial training, 54,000 digits each.", show_default="the preset's"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed.", show_default="the preset's")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"Train {DEFAULT} for a few minutes only; the digits are worse.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    out: Annotated[Path | None, typer.Option(help="Run directory.", show_default="runs/PRESET-seedSEED")] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the run in this directory.")] = None,
    evaluate: Annotated[
        bool | None,
        typer.Option(help="Evaluate the exported model with evaluate.py.", show_default=f"for {DEFAULT} only"),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log to RUN/tensorboard.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the resolved preset and exit.")] = False,
) -> None:
    """Train a preset on MNIST, export the generator and, for the default model, evaluate it.

    Example: python training/train.py --preset mlp --epochs 5
    """
    from training import pipeline  # late: PyTorch takes seconds to import

    run, chosen, start = pipeline.plan(preset, epochs, seed, out, resume, quick=quick)
    if dry_run:
        print(json.dumps(to_json(chosen), indent=2))
        return
    if evaluate is None:
        evaluate = chosen.name == DEFAULT and not quick
    pipeline.execute(
        run, chosen, start, device, data, resumed=resume is not None, tensorboard=tensorboard, evaluate=evaluate
    )
