"""Measure how close a model's digits are to real ones: python training/evaluate.py MODEL_DIR|NAME|all."""

if __name__ == "__main__":  # before all that takes long to import, so that Ctrl-C is one line there too
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository, whatever folder this is called from
    from training.run.script import run

    run("training.evaluate")

from pathlib import Path
from typing import Annotated

import typer

import mnistgen
from mnistgen._catalog import ModelDirectory, find
from mnistgen._devices import usable_cpus
from training.errors import EvaluationError


def main(
    targets: Annotated[list[str], typer.Argument(metavar="MODEL_DIR|NAME|all", help="Which models.")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.md, report.json and pictures.", show_default="reports/MODEL")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed, against held-out training digits, without what takes long.")
    ] = False,
    write_card: Annotated[bool, typer.Option("--write-card", help="Put the figures into the models' cards.")] = False,
    samples: Annotated[int | None, typer.Option(help="Digits a seed.", show_default="as many as the real ones")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Sampling seeds: 1 to this.", show_default="5, with --quick 1")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    workers: Annotated[int, typer.Option(help="Processes.", show_default="the CPUs allowed")] = usable_cpus(),
) -> None:
    """Measure how close the digits of models are to real ones, beside references measured the same way.

    Example: python training/evaluate.py dcgan --report reports/dcgan
    """
    from training.evaluation.assessment import assess  # late: PyTorch and the rest take seconds to import

    folder = report or Path("reports") / (Path(targets[0]).name if len(targets) == 1 else "several")
    if write_card and quick:
        raise EvaluationError("--write-card: cards hold the figures of the full form; omit --quick")
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
    print(f"\n{folder / 'report.md'}: tables, definitions and pictures")


def locate(targets: list[str]) -> list[ModelDirectory]:
    """The checked model directories that the command line names, each once."""
    names = [name for target in targets for name in (mnistgen.models() if target == "all" else [target])]
    return [find(name) for name in dict.fromkeys(names)]
