"""Training in two processes against one, with one thread each: python -m benchmarks.processes [--data FOLDER].

Both run the adversarial stage of the default model with torchrun, on the same global batches.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.training_rate import median_rate, rate
from training.presets import DEFAULT, PRESETS
from training.run.directory import RunDirectory
from training.run.distributed import process_group

ROUNDS = 3
BAR = 1.6


def launch(processes: int, data: Path) -> float:
    """The median images/s of a run in this number of processes."""
    with tempfile.TemporaryDirectory() as folder:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        worker = ["-m", "benchmarks.processes", "--data", str(data), "--into", f"{folder}/run"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, *torchrun, *worker], check=True, capture_output=True, env=environment)
        return median_rate(RunDirectory(Path(folder) / "run"))


def main(
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw.")] = Path("data"),
    into: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Alternate between one process and two, and print both rates and their ratio."""
    if into is not None:  # started by torchrun
        with process_group(torch.device("cpu")) as world:
            rate(PRESETS[DEFAULT], data, into, "cpu", world)
        return
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for processes, measured in rates.items():
            measured.append(launch(processes, data))
    one, two = (statistics.median(measured) for measured in rates.values())
    print(f"{DEFAULT}: one process {one:,.1f} images/s, two {two:,.1f}, one thread each")
    print(f"  ratio {two / one:.2f} (must be >= {BAR})")


if __name__ == "__main__":
    typer.run(main)
