"""Timing: run alternatives in turn, after a warm-up, and compare medians."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping


def medians(contestants: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """The median seconds of each contestant. Each round runs all of them, so that load affects them equally."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(warm_up + rounds):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            if turn >= warm_up:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def process(*arguments: str) -> Callable[[], object]:
    """A function that runs this Python with these arguments in a new process."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def show(title: str, seconds: Mapping[str, float], ratio: float, bar: str) -> None:
    """Print the medians, the ratio and its required value."""
    print(title)
    for name, value in seconds.items():
        print(f"  {name:42} {value * 1e3:10.1f} ms")
    print(f"  ratio {ratio:.2f} (must be {bar})")
