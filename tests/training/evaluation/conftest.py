"""evaluate.py in this process, on a few hundred real digits and small models."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome
from tests.training.small import DATA, FILES, ROOT
from training import data

Evaluate = Callable[..., Outcome]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Evaluate:
    """Run training/evaluate.py on the small data set, in one process."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(data.load_mnist, "__defaults__", (FILES,))
        monkeypatch.setattr(sys, "path", list(sys.path))
        command = ["evaluate.py", *map(str, arguments), "--data", str(DATA), "--workers", "1"]
        monkeypatch.setattr(sys, "argv", command)
        code: object = 0
        try:
            runpy.run_path(str(ROOT / "training" / "evaluate.py"), run_name="__main__")
        except SystemExit as stop:
            code = stop.code
            if isinstance(code, str):  # which the interpreter prints
                print(code, file=sys.stderr)
                code = 1
        captured = capfd.readouterr()
        return Outcome(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
