"""Ray against local processes: python -m benchmarks.on_ray [N].

Compares `write_dataset` with N digits, by default a million, on a running Ray cluster of two workers, to two local
processes, including their start-up.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.timing import medians, show
from mnistgen import write_dataset
from mnistgen._dataset.cluster import cluster

WORKERS = 2


def main(count: str = "1000000") -> None:
    """Measure and print the ratio."""
    n = int(count)
    with tempfile.TemporaryDirectory() as folder, cluster(None, WORKERS):
        out = Path(folder) / "data"
        write_dataset(out, n=20_000, seed=1, engine="ray", workers=WORKERS)  # warm-up: workers load the model
        contestants = {
            engine: lambda engine=engine: write_dataset(out, n=n, seed=1, engine=engine, workers=WORKERS, force=True)
            for engine in ("local", "ray")
        }
        seconds = medians(contestants, rounds=3, warm_up=0)
    show(f"{n:,} digits, {WORKERS} workers", seconds, seconds["local"] / seconds["ray"], "at least 0.9")


if __name__ == "__main__":
    main(*sys.argv[1:])
