"""Fixtures of the training tests."""

from tests.training.conftest import quick_attributes, run_script

__all__ = ["quick_attributes", "run_script"]
