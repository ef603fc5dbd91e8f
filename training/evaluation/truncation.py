"""What truncation gains and costs: python training/evaluation/truncation.py [MODEL] --out truncation.png.

Digits at every level are measured against held-out training digits, as the quick form of training/evaluate.py does.
"""

if __name__ == "__main__":  # before all that takes long to import, so that Ctrl-C is one line there too
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the repository, whatever folder this is called from
    from training.run.script import run

    run("training.evaluation.truncation")

from pathlib import Path
from typing import Annotated

import typer

from mnistgen._catalog import DEFAULT_MODEL, find
from mnistgen._devices import usable_cpus
from training.errors import EvaluationError

LEVELS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHOWN = ("ratio", "label_accuracy", "precision", "recall", "density", "coverage")


def main(
    model: Annotated[str, typer.Argument(metavar="MODEL_DIR|NAME", help="A class-conditional model.")] = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Picture to write, as PNG.")] = Path("truncation.png"),
    seeds: Annotated[int, typer.Option(min=1, help="Sampling seeds: 1 to this.")] = 3,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    workers: Annotated[int, typer.Option(help="Processes.", show_default="the CPUs allowed")] = usable_cpus(),
) -> None:
    """Measure a model at several truncations, print the figures and draw them."""
    import torch  # late, as all below: they take seconds to import

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
        raise EvaluationError(f"model: expected a class-conditional one, got {directory.card.name}")
    real = baseline(load_mnist(data, torch.device("cpu")), "quick")
    sources = [
        Model(directory.path, f"truncation {level}", directory.card.sha256, truncation=level) for level in LEVELS
    ]
    used = tuple(range(1, seeds + 1))
    scores = measure_all(sources, used, len(real.target.images), "quick", data, workers)
    for row in scores:
        figures = (f"{FIGURES[key].title} {row.figures[key].text(FIGURES[key].decimals)}" for key in SHOWN)
        print(f"{row.name}: {', '.join(figures)}")
    save(charts.truncation(LEVELS, scores), out)
    print(out)
