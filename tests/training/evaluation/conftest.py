"""Fixtures for evaluate.py with a few hundred real digits and small models."""

import pytest

from tests.training.conftest import RunScript
from tests.training.small import DATA


@pytest.fixture
def evaluate(run_script: RunScript) -> RunScript:
    """Run training/evaluate.py on the small data set, in one process."""
    return lambda *arguments: run_script("training/evaluate.py", *arguments, "--data", DATA, "--workers", 1)
