"""Fixtures of the training tests."""

from tests.training.conftest import run_script

__all__ = ["run_script"]
