"""Digits for pytest: put `pytest_plugins = ["mnistgen.testing"]` into conftest.py.

    def test_my_reader(digits):
        images, labels = digits(100)  # uint8 (100, 28, 28), int64 (100,); other digits in every run

A run says its seed at the top; `pytest --digits-seed SEED` gives the same digits again.
"""

from collections.abc import Callable

import pytest

from mnistgen._api import generate
from mnistgen._generator import Labelled
from mnistgen._latents import fresh_seed

__all__ = ["digits"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --digits-seed."""
    parser.addoption("--digits-seed", type=int, help="Seed of the fixture `digits`; by default, a fresh one.")


def pytest_report_header(config: pytest.Config) -> str:
    """Draw the seed where there is none, before any worker of pytest-xdist starts, and say it."""
    if config.option.digits_seed is None:
        config.option.digits_seed = fresh_seed()
    return f"mnistgen: --digits-seed {config.option.digits_seed}"


@pytest.fixture
def digits(request: pytest.FixtureRequest) -> Callable[..., Labelled]:
    """`mnistgen.generate` with return_labels and this run's seed: called with n, it returns (images, labels)."""
    return lambda n, **more: generate(n, seed=request.config.option.digits_seed, return_labels=True, **more)
