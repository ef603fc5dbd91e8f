"""Shared fixtures: generators of a small model, and comparison of images."""

from pathlib import Path

import numpy as np
import pytest

import mnistgen
from mnistgen._arrays import UInt8


def near(first: UInt8, second: UInt8) -> bool:
    """Equal within one grey level."""
    return first.shape == second.shape and bool((np.abs(first.astype(int) - second) <= 1).all())


@pytest.fixture(scope="module")
def generators(conditional_model: Path) -> dict[int, mnistgen.Generator]:
    """One generator per thread count."""
    return {threads: mnistgen.Generator(conditional_model, threads=threads) for threads in (1, 2, 3)}


@pytest.fixture(scope="module")
def generator(generators: dict[int, mnistgen.Generator]) -> mnistgen.Generator:
    return generators[1]
