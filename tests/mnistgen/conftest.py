"""What several tests of the runtime share: generators of a small model, and when digits count as equal."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import mnistgen


def near(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Equal within one grey level."""
    return first.shape == second.shape and bool((np.abs(first.astype(int) - second) <= 1).all())


@pytest.fixture(scope="module")
def generators(conditional_model: Path) -> dict[int, mnistgen.Generator]:
    """One generator a thread count."""
    return {threads: mnistgen.Generator(conditional_model, threads=threads) for threads in (1, 2, 3)}


@pytest.fixture(scope="module")
def generator(generators: dict[int, mnistgen.Generator]) -> mnistgen.Generator:
    return generators[1]
