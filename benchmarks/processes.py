"""Two processes against one, one thread each: python -m benchmarks.processes [PRESET] [--data FOLDER].

Both train on the same global batches, through torchrun.
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

from benchmarks.training_rate import WARM_UP, digits_of, rate
from training.presets import PRESETS
from training.run.directory import RunDirectory
from training.run.distributed import joined

ROUNDS = 3
BAR = 1.6


def launch(processes: int, name: str, data: Path) -> float:
    """Median images/s of a run in so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        worker = ["-m", "benchmarks.processes", name, "--data", str(data), "--into", f"{folder}/run"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, *torchrun, *worker], check=True, capture_output=True, env=environment)
        lines = RunDirectory(Path(folder) / "run").read_metrics()
    return float(statistics.median(line["images_per_second"] for line in lines[WARM_UP:]))


def main(
    name: Annotated[str, typer.Argument(metavar="PRESET")] = "dcgan",
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw.")] = Path("data"),
    into: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Take turns, and print both rates and their ratio."""
    preset = PRESETS[name]
    if into is not None:  # one of the processes
        with joined(torch.device("cpu")) as world:
            rate(preset, digits_of(data, preset), into, world)
        return
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for processes, seen in rates.items():
            seen.append(launch(processes, name, data))
    one, two = (statistics.median(seen) for seen in rates.values())
    print(f"{name}: one process {one:,.1f} images/s, two {two:,.1f}, one thread each")
    print(f"  ratio {two / one:.2f} (must be >= {BAR})")


if __name__ == "__main__":
    typer.run(main)
