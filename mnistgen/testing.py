"""A pytest fixture for generated digits: put `pytest_plugins = ["mnistgen.testing"]` into conftest.py.

    def test_my_reader(digits):
        images, labels = digits(100)  # uint8 (100, 28, 28), int64 (100,); different in every run

pytest prints the seed in its header; `pytest --digits-seed SEED` repeats a run with the same digits.
"""

from collections.abc import Callable

import pytest

from mnistgen._api import generate
from mnistgen._generator import Labelled
from mnistgen._latents import fresh_seed

__all__ = ["digits"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --digits-seed."""
    parser.addoption("--digits-seed", type=int, help="Seed of the fixture `digits`. By default, a fresh seed.")


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed; if none is given, draw one, before pytest-xdist starts its workers."""
    if config.option.digits_seed is None:
        config.option.digits_seed = fresh_seed()
    return f"mnistgen: --digits-seed {config.option.digits_seed}"


@pytest.fixture
def digits(request: pytest.FixtureRequest) -> Callable[..., Labelled]:
    """A function of n, and of the keyword arguments of `mnistgen.generate`, that returns (images, labels).

    Images are uint8 (n, 28, 28), ink 255, background 0; labels are int64 (n,), 0 to 9. The seed is that of the run.
    """
    return lambda n, **more: generate(n, seed=request.config.option.digits_seed, return_labels=True, **more)
