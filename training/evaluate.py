"""Evaluate how close a model's digits are to real ones: python training/evaluate.py MODEL_DIR|NAME|all."""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.run.script import run

    run("training.evaluate")

from pathlib import Path
from typing import Annotated

import typer

import mnistgen
from mnistgen._model import ModelDirectory, find
from mnistgen._runtime import usable_cpus
from training.errors import EvaluationError


def main(
    targets: Annotated[list[str], typer.Argument(metavar="MODEL_DIR|NAME|all", help="The models to evaluate.")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.md, report.json and plots.", show_default="reports/MODEL")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Use one seed and held-out training digits; skip the slow metrics.")
    ] = False,
    write_card: Annotated[bool, typer.Option("--write-card", help="Write the results into the models' cards.")] = False,
    samples: Annotated[
        int | None, typer.Option(help="Generated digits per seed.", show_default="as many as real ones")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Number of sampling seeds.", show_default="5, with --quick 1")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    workers: Annotated[int, typer.Option(help="Processes.", show_default="the available CPUs")] = usable_cpus(),
) -> None:
    """Evaluate how close the digits of models are to real ones, next to references evaluated in the same way.

    Example: python training/evaluate.py dcgan --report reports/dcgan
    """
    from training.evaluation.assessment import assess  # late: PyTorch and the rest take seconds to import

    folder = report or Path("reports") / (Path(targets[0]).name if len(targets) == 1 else "several")
    if write_card and quick:
        raise EvaluationError("--write-card: cards contain results of the full evaluation; omit --quick")
    assess(
        locate(targets),
        folder,
        form="quick" if quick else "full",
        samples=samples,
        seeds=seeds,
        write_card=write_card,
        data=data,
        workers=workers,
    )
    print(f"\n{folder / 'report.md'}: tables, definitions and plots")


def locate(targets: list[str]) -> list[ModelDirectory]:
    """The validated model directories of the targets, without duplicates."""
    names = [name for target in targets for name in (mnistgen.models() if target == "all" else [target])]
    return [find(name) for name in dict.fromkeys(names)]
