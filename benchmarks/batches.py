"""Images per second by threads and batch size: python -m benchmarks.batches [MODEL] [N].

Draws N digits, by default 10,000, with one call of `Generator.sample` per batch.
"""

import sys
from functools import partial

from benchmarks.timing import medians
from mnistgen import Generator
from mnistgen._model import DEFAULT_MODEL
from mnistgen._runtime import usable_cpus

BATCHES = (1, 16, 256, 1024)


def sample(generator: Generator, n: int, batch: int) -> None:
    """Draw n digits in batches."""
    for start in range(0, n, batch):
        generator.sample(min(batch, n - start), seed=1, start=start)


def main(model: str = DEFAULT_MODEL, count: str = "10000") -> None:
    """Measure and print a table, for 1, 2, 4, ... threads and as many as there are usable CPUs."""
    n, cpus = int(count), usable_cpus()
    print(f"{n:,} digits from {model}\nthreads  batch   images/s  G multiply-adds/s")
    for threads in [*(2**power for power in range((cpus - 1).bit_length())), cpus]:
        generator = Generator(model, threads=threads)  # one at a time: idle threads of another would take CPU time
        seconds = medians({str(batch): partial(sample, generator, n, batch) for batch in BATCHES}, rounds=5)
        for batch, value in seconds.items():
            rate = n / value
            print(f"{threads:7}  {batch:>5}  {rate:9,.0f}  {rate * generator.card.multiply_adds / 1e9:17.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
