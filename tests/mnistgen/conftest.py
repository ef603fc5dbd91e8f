"""Shared fixtures: generators of a small model, invalid values, and comparison of images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mnistgen

HUGE = 10**5000  # too large for repr


class Unreadable:
    """Cannot be converted to an array, like tensors that require grad."""

    def __array__(self) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def __index__(self) -> int:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


def near(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Equal within one grey level."""
    return first.shape == second.shape and bool((np.abs(first.astype(int) - second) <= 1).all())


@pytest.fixture(scope="module")
def generators(conditional_model: Path) -> dict[int, mnistgen.Generator]:
    """One generator per thread count."""
    return {threads: mnistgen.Generator(conditional_model, threads=threads) for threads in (1, 2, 3)}


@pytest.fixture(scope="module")
def generator(generators: dict[int, mnistgen.Generator]) -> mnistgen.Generator:
    return generators[1]
