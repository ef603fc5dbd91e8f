"""Memory usage for large data sets: python -m benchmarks.dataset_memory [FEW] [MANY].

Compares the peak memory of `mnistgen dataset`, as IDX, for few and for many digits.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.stream_memory import UNIT


def peak(n: int, out: Path) -> float:
    """The peak memory, in MB, of a process that writes n digits."""
    command = [sys.executable, "-m", "mnistgen", "dataset", "--out", str(out), "--n", str(n)]
    child = subprocess.Popen([*command, "--seed", "1", "--force", "--quiet"])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"mnistgen dataset ended with {child.returncode}")
    return usage.ru_maxrss * UNIT / 1e6


def main(few: str = "100000", many: str = "10000000") -> None:
    """Measure and print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (peak(int(count), Path(folder) / "data") for count in (few, many))
    print(f"{int(few):,} digits: {small:.0f} MB; {int(many):,}: {large:.0f} MB")
    print(f"  ratio {large / small:.2f} (must be at most 1.1)")


if __name__ == "__main__":
    main(*sys.argv[1:])
