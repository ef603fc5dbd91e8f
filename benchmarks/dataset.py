"""Data set generation against bare onnxruntime, and two workers against one: python -m benchmarks.dataset [MODEL] [N].

Compares the process `mnistgen dataset`, with 70,000 digits as IDX, to a process that only runs the same graph on as
many threads, with latents from NumPy and without labels and files. Then generates N digits, by default a million, with
one and with two workers.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.timing import medians, process, show
from mnistgen._model import DEFAULT_MODEL, find
from mnistgen._runtime import usable_cpus
from mnistgen._loaded import chunk_size

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


def main(model: str = DEFAULT_MODEL, count: str = "1000000") -> None:
    """Measure and print both ratios."""
    directory, threads = find(model), usable_cpus()
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "data")

        def dataset(n: int, workers: int) -> list[str]:
            call = ["-m", "mnistgen", "dataset", "--out", out, "--force", "--quiet", "--seed", "1", "--model", model]
            return [*call, "--n", str(n), "--test", "10000", "--workers", str(workers)]

        shape = [str(value) for value in (chunk_size(directory.card), directory.card.latent_dim)]
        contestants = {
            "bare onnxruntime": process("-c", BARE, str(directory.onnx), str(threads), "70000", *shape),
            "mnistgen dataset": process(*dataset(60_000, threads)),
        }
        seconds = medians(contestants, rounds=7)
        ratio = seconds["mnistgen dataset"] / seconds["bare onnxruntime"]
        show(f"70,000 digits from {model}, {threads} threads or workers", seconds, ratio, "at most 1.25")

        contestants = {f"{workers} workers": process(*dataset(int(count), workers)) for workers in (1, 2)}
        seconds = medians(contestants, rounds=3, warm_up=0)
    show(f"{int(count):,} digits", seconds, seconds["1 workers"] / seconds["2 workers"], "at least 1.8")


if __name__ == "__main__":
    main(*sys.argv[1:])
