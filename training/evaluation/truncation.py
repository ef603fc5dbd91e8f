"""Measure the effect of truncation: python training/evaluation/truncation.py [MODEL] --out truncation.png.

Uses the quick form of training/evaluate.py, with held-out training digits, at each truncation level.
"""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the repository root, to run from any directory
    from training.run.script import run

    run("training.evaluation.truncation")

from pathlib import Path
from typing import Annotated

import typer

from mnistgen._model import DEFAULT_MODEL, find
from mnistgen._runtime import usable_cpus
from training.errors import EvaluationError

LEVELS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHOWN = ("ratio", "label_accuracy", "precision", "recall", "density", "coverage")


def main(
    model: Annotated[str, typer.Argument(metavar="MODEL_DIR|NAME", help="A class-conditional model.")] = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="PNG file for the plot.")] = Path("truncation.png"),
    seeds: Annotated[int, typer.Option(min=1, help="Number of sampling seeds.")] = 3,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    workers: Annotated[int, typer.Option(help="Processes.", show_default="the available CPUs")] = usable_cpus(),
) -> None:
    """Measure a model at several truncation levels, print the figures and plot them."""
    import torch  # late, like all below: these take seconds to import

    from training.data import load_mnist
    from training.evaluation import charts
    from training.evaluation.assessment import check_writable, measure_all
    from training.evaluation.baseline import baseline
    from training.evaluation.drawing import save
    from training.evaluation.figures import FIGURES
    from training.evaluation.sources import Model

    check_writable([out.parent])
    directory = find(model)
    if not directory.card.conditional:
        raise EvaluationError(f"model: expected a class-conditional model, got {directory.card.name}")
    real = baseline(load_mnist(data, torch.device("cpu")), "quick")
    path = Path(str(directory.path))
    sources = [Model(path, f"truncation {level}", directory.card.sha256, truncation=level) for level in LEVELS]
    used = tuple(range(1, seeds + 1))
    scores = measure_all(sources, used, len(real.target.images), "quick", data, workers)
    for row in scores:
        figures = (f"{FIGURES[key].title} {row.figures[key].text(FIGURES[key].decimals)}" for key in SHOWN)
        print(f"{row.name}: {', '.join(figures)}")
    save(charts.truncation(LEVELS, scores), out)
    print(out)
