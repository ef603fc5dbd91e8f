"""Train the judges that digits are measured by: python training/evaluation/train_judges.py [JUDGE ...].

They learn from 50,000 training digits, warped. The other 10,000 they never see, so that those can stand for fresh real
digits in every report; the test set is used once, at the end.
"""

if __name__ == "__main__":  # before all that takes long to import, so that Ctrl-C is one line there too
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the repository, whatever folder this is called from
    from training.run.script import run

    run("training.evaluation.train_judges")

from pathlib import Path
from typing import Annotated

import typer

from training.evaluation import WEIGHTS


def main(
    judges: Annotated[list[str] | None, typer.Argument(help="Their names.", show_default="all that learn")] = None,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.json.")] = WEIGHTS,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train judges, and write their weights and cards."""
    from training.evaluation.judge_training import train_judges  # late: PyTorch takes seconds to import

    train_judges(judges, data, out, seed, device)
