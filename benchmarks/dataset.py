"""Data set generation against bare onnxruntime: python -m benchmarks.dataset [MODEL] [N].

Compares the process `mnistgen dataset`, with N digits, by default 70,000, as IDX, to a process that only runs the same
graph on as many threads, with latents from NumPy and without labels and files.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.timing import medians, process, show
from mnistgen._loaded import chunk_size
from mnistgen._model import DEFAULT_MODEL, MODEL, find
from mnistgen._runtime import usable_cpus

BARE = """
import sys
import numpy as np, onnxruntime
path, threads, n, batch, dim = sys.argv[1], *map(int, sys.argv[2:])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
random = np.random.default_rng(1)
for start in range(0, n, batch):
    rows = min(batch, n - start)
    classes = np.eye(10, dtype=np.float32)[random.integers(10, size=rows)]
    session.run(None, {"latents": random.standard_normal((rows, dim), np.float32), "classes": classes})
"""


def main(model: str = DEFAULT_MODEL, count: str = "70000") -> None:
    """Measure and print the ratio."""
    n, directory, threads = int(count), find(model), usable_cpus()
    shape = [str(value) for value in (threads, n, chunk_size(directory.card), directory.card.latent_dim)]
    with tempfile.TemporaryDirectory() as folder:
        call = ["dataset", "--out", str(Path(folder) / "data"), "--force", "--quiet", "--seed", "1", "--model", model]
        contestants = {
            "bare onnxruntime": process("-c", BARE, str(directory.path / MODEL), *shape),
            "mnistgen dataset": process("-m", "mnistgen", *call, "--n", str(n - n // 7), "--test", str(n // 7)),
        }
        seconds = medians(contestants, rounds=7)
    ratio = seconds["mnistgen dataset"] / seconds["bare onnxruntime"]
    show(f"{n:,} digits from {model}, {threads} threads", seconds, ratio, "at most 1.25")


if __name__ == "__main__":
    main(*sys.argv[1:])
