"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_runs(example: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(example)], cwd=tmp_path, check=True, capture_output=True)
    with Image.open(tmp_path / f"{example.stem}.png") as picture:
        assert picture.getextrema()[1] == 255
