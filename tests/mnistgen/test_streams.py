"""Standard streams that are closed, full or limited to ASCII."""

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = ("sample", "--n", "4", "--seed", "1", "--out")


def shell(folder: Path, redirected: str, *command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command with redirections, in which "$@" is `mnistgen` and its arguments."""
    call = ["sh", "-c", f'"$@" {redirected}', "sh", sys.executable, "-m", "mnistgen", *command]
    return subprocess.run(call, cwd=folder, capture_output=True, env={"PATH": "/usr/bin:/bin", **variables})


@pytest.mark.parametrize("command", [["models"], [*SAMPLE, "-"]])
def test_full_disk(tmp_path: Path, command: list[str]) -> None:
    result = shell(tmp_path, ">/dev/full", *command)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr == b"mnistgen: standard output: No space left on device\n"


def test_unreadable_model_is_no_error_of_standard_output(tmp_path: Path) -> None:
    (tmp_path / "model/card.json").mkdir(parents=True)
    result = shell(tmp_path, "", "info", "model")
    assert result.returncode == 1
    assert b"/model/card.json: " in result.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    result = shell(tmp_path, "", *SAMPLE, "\udcff.png", PYTHONIOENCODING=encoding)
    assert result.returncode == 0
    assert result.stdout == b"\\udcff.png: 4 digits from digits, seed 1\n"
    for command in (["info"], ["info", "--json"], ["--help"]):
        result = shell(tmp_path, "", *command, PYTHONIOENCODING=encoding)
        assert (result.returncode, result.stderr) == (0, b"")
        assert encoding == "utf-8" or result.stdout.isascii()
