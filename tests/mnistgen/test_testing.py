"""The fixture `digits`, in a real run of pytest."""

import re
import subprocess
import sys
from pathlib import Path

TEST = """
import mnistgen

def test_it(digits, pytestconfig):
    images, labels = digits(3, digit=7)
    assert (images == mnistgen.generate(3, digit=7, seed=pytestconfig.option.digits_seed)).all()
    assert labels.tolist() == [7, 7, 7]
"""


def pytest_in(folder: Path, *arguments: str) -> str:
    (folder / "conftest.py").write_text('pytest_plugins = ["mnistgen.testing"]\n')
    (folder / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_run_reports_seed(tmp_path: Path) -> None:
    assert re.search(r"^mnistgen: --digits-seed \d+$", pytest_in(tmp_path), flags=re.M)


def test_seed_reproduces_digits_with_xdist(tmp_path: Path) -> None:
    out = pytest_in(tmp_path, "--digits-seed", "5", "-n", "2")
    assert "mnistgen: --digits-seed 5\n" in out
    assert "1 passed" in out
