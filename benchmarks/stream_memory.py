"""Memory usage of a long stream: python -m benchmarks.stream_memory [N] [MODEL].

Measures the growth of the process's peak memory from the first generated digit to the end of the stream.
"""

import resource
import sys
import time

from mnistgen import Generator

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes: macOS counts in bytes, Linux in KiB


def peak() -> float:
    """The peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def main(count: str = "10000000", model: str = "mlp") -> None:
    """Stream and print the growth."""
    n = int(count)
    generator = Generator(model)
    generator.sample(1, seed=1)
    before = peak()
    start = time.perf_counter()
    drawn = sum(len(batch) for batch in generator.stream(n, seed=1))
    rate = drawn / (time.perf_counter() - start)
    print(f"{drawn:,} digits from {model}: peak {before:.0f} MB -> {peak():.0f} MB, {peak() - before:.0f} MB more")
    print(f"(all at once they would be {n * 784 / 1e6:,.0f} MB; {rate:,.0f} images/s)")


if __name__ == "__main__":
    main(*sys.argv[1:])
