"""The scripts in this process."""

from tests.training.conftest import run_script

__all__ = ["run_script"]
