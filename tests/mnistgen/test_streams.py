"""Standard streams that are closed, full or limited to ASCII."""

import subprocess
import sys
from pathlib import Path

import pytest


def shell(folder: Path, redirected: str, *command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command with redirections, in which "$@" is `mnistgen` and its arguments."""
    call = ["sh", "-c", f'"$@" {redirected}', "sh", sys.executable, "-m", "mnistgen", *command]
    environment = {"PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(call, cwd=folder, capture_output=True, env=environment)


@pytest.mark.parametrize(
    ("redirected", "reason"), [(">&-", b"Bad file descriptor"), (">/dev/full", b"No space left on device")]
)
@pytest.mark.parametrize("command", [["models"], ["info"], ["sample", "--n", "4", "--out", "-"]])
def test_closed_pipe(tmp_path: Path, command: list[str], redirected: str, reason: bytes) -> None:
    result = shell(tmp_path, redirected, *command)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr == b"mnistgen: standard output: " + reason + b"\n"


def test_closed_stream_is_not_reused_as_file(tmp_path: Path) -> None:
    result = shell(tmp_path, "<&- >&- 2>&-", "sample", "--n", "4", "--out", "grid.png")
    assert (result.returncode, result.stdout, result.stderr) == (1, b"", b"")
    assert (tmp_path / "grid.png").read_bytes().endswith(b"IEND\xaeB`\x82")


def test_errors_are_not_written_to_stdout(tmp_path: Path) -> None:
    result = shell(tmp_path, "2>&-", "sample", "--out", "nowhere/grid.png")
    assert (result.returncode, result.stdout) == (1, b"")


def test_undecodable_names(tmp_path: Path) -> None:
    for encoding in ("utf-8", "ascii"):
        result = shell(
            tmp_path, "", "sample", "--n", "4", "--seed", "1", "--out", "\udcff.png", PYTHONIOENCODING=encoding
        )
        assert result.returncode == 0
        assert result.stdout == b"\\udcff.png: 4 digits from digits, seed 1\n"


def test_ascii_encoding(tmp_path: Path) -> None:
    for command in (["info"], ["models"], ["info", "--json"], ["--help"]):
        result = shell(tmp_path, "", *command, PYTHONIOENCODING="ascii")
        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout.isascii()


def test_unreadable_model_is_not_reported_as_stdout_error(tmp_path: Path) -> None:
    (tmp_path / "model/card.json").mkdir(parents=True)
    result = shell(tmp_path, "", "info", "model")
    assert result.returncode == 1
    assert result.stderr.startswith(b"mnistgen: model/card.json: ") or b"/model/card.json: " in result.stderr
