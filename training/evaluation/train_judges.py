"""Train the judges of the evaluation: python training/evaluation/train_judges.py [JUDGE ...].

They are trained on 50,000 training digits with augmentation. The other 10,000 are held out as fresh real digits for
reports. The test set is used once, for the judges' cards.
"""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the repository root, to run from any directory
    from training.run.script import run

    run("training.evaluation.train_judges")

from pathlib import Path
from typing import Annotated

import typer

from training.evaluation import WEIGHTS


def main(
    judges: Annotated[list[str] | None, typer.Argument(help="Names of judges.", show_default="all trainable")] = None,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.json.")] = WEIGHTS,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train judges and write their weights and cards."""
    from training.evaluation.judge_training import train_judges  # late: PyTorch takes seconds to import

    train_judges(judges, data, out, seed, device)
