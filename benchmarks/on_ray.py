"""A data set on Ray against one without: python -m benchmarks.on_ray [N].

Compares `mnistgen.ray.digits(N).write_parquet`, with N digits, by default a million, on a running cluster with the
CPUs of this machine, to `write_dataset(format="parquet")`. Ray writes pixels, `write_dataset` PNG files.
"""

import os
import sys
import tempfile
from pathlib import Path

import ray

import mnistgen
from benchmarks.timing import medians, show
from mnistgen._runtime import usable_cpus


def main(count: str = "1000000") -> None:
    """Measure and print the ratio."""
    n, cpus = int(count), usable_cpus()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # which ray.init would send
    ray.init(num_cpus=cpus)
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder) / "here", Path(folder) / "there"
        contestants = {
            "write_dataset": lambda: mnistgen.write_dataset(here, n=n, test=0, seed=1, format="parquet", force=True),
            "mnistgen.ray": lambda: mnistgen.ray.digits(n, seed=1).write_parquet(str(there), mode="overwrite"),
        }
        seconds = medians(contestants, rounds=3)  # workers load the model in the warm-up
    show(f"{n:,} digits, {cpus} CPUs", seconds, seconds["write_dataset"] / seconds["mnistgen.ray"], "at least 0.9")


if __name__ == "__main__":
    main(*sys.argv[1:])
