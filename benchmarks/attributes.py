"""Digits with requested attributes against plain ones: python -m benchmarks.attributes [N]."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.timing import medians, show
from mnistgen import Generator, measure

REQUESTS: dict[str, dict[str, Any]] = {
    "slant=0.2": {"slant": 0.2},
    "thickness=(2, 4)": {"thickness": (2.0, 4.0)},
    "thickness and slant": {"thickness": (2.0, 4.0), "slant": (-0.2, 0.4)},
}


def main(count: str = "40000") -> None:
    """Measure and print the ratios."""
    n = int(count)
    generator = Generator()
    images = generator.sample(n, seed=1)
    contestants: dict[str, Callable[[], object]] = {
        name: partial(generator.sample, n, seed=1, **given) for name, given in {"plain": {}, **REQUESTS}.items()
    }
    contestants["measure"] = partial(measure, images)
    seconds = medians(contestants, rounds=7)
    for name in REQUESTS:
        ratio = seconds["plain"] / seconds[name]
        show(f"{n:,} digits, {name}", {"plain": seconds["plain"], name: seconds[name]}, ratio, "at least 0.5")
    print(f"measure: {n / seconds['measure']:,.0f} digits/s, one thread")


if __name__ == "__main__":
    main(*sys.argv[1:])
