"""Images per second against bare onnxruntime: python -m benchmarks.throughput [MODEL] [N].

Compares `Generator(MODEL).sample(N)` to onnxruntime with the same graph and threads, with precomputed latents and
without processing of the output. For a fair comparison, its batch size is the best of several.
"""

import sys

from benchmarks.timing import medians, show
from mnistgen import Generator
from mnistgen._latents import draw
from mnistgen._model import find

BATCHES = (64, 128, 256, 1024)


def main(model: str = "mlp", count: str = "100000") -> None:
    """Measure and print the ratio."""
    n = int(count)
    generator = Generator(model)
    latents, _ = draw(1, 0, n, generator.card.latent_dim)
    import onnxruntime  # after mnistgen's session has switched telemetry off

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = generator.threads
    session = onnxruntime.InferenceSession(find(model).read(), options, providers=["CPUExecutionProvider"])

    def bare(batch: int) -> None:
        for start in range(0, n, batch):
            session.run(["images"], {"latents": latents[start : start + batch]})

    contestants = {f"bare onnxruntime, batches of {batch}": lambda batch=batch: bare(batch) for batch in BATCHES}
    seconds = medians(contestants | {"mnistgen": lambda: generator.sample(n, seed=1)}, rounds=5)
    ours = seconds["mnistgen"]
    best = min(value for name, value in seconds.items() if name != "mnistgen")
    show(f"{n:,} digits from {model}, {generator.threads} threads", seconds, best / ours, "at least 0.85")


if __name__ == "__main__":
    main(*sys.argv[1:])
