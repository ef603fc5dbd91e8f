"""mnistgen dataset: files, output and errors."""

import json
import os
import pty
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import RunCli, assert_refused

SMALL = ("--n", 300, "--test", 40, "--seed", 1, "--workers", 1)


def command(model: Path, out: Path, *arguments: object) -> list[str]:
    """The command line for a new process."""
    call = ("dataset", "--model", model, "--out", out, *SMALL, *arguments)
    return [sys.executable, "-m", "mnistgen", *map(str, call)]


def test_prints_summary(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    outcome = run_cli("dataset", "--model", conditional_model, "--out", out, *SMALL, "--digits", "0-2,7")
    assert (outcome.code, outcome.err) == (0, "")
    described = json.loads((out / "dataset.json").read_text())
    title, header, train, test, *files, last = outcome.out.splitlines()
    assert title == f"{out}: 300 train and 40 test digits from small, seed 1, as idx"
    assert header.split() == ["digit", *map(str, range(10))]
    assert train.split() == ["train", *map(str, described["counts"]["train"])]
    assert test.split() == ["test", *map(str, described["counts"]["test"])]
    assert [line.split() for line in files] == [[sha256, name] for name, sha256 in described["files"].items()]
    assert last == f"  described by {out}/dataset.json"
    assert described["digits"] == [0, 1, 2, 7]


def test_summary_counts_many_files(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    outcome = run_cli("dataset", "--model", conditional_model, "--out", out, *SMALL, "--format", "png")
    assert outcome.out.splitlines()[-1] == f"  340 files; their SHA-256 are in {out}/dataset.json"


def test_quiet(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    outcome = run_cli("dataset", "--model", conditional_model, "--out", tmp_path / "data", *SMALL, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_random_seed_is_printed_and_recorded(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    arguments = ("--model", conditional_model, "--n", 300, "--test", 0, "--workers", 1)
    title = run_cli("dataset", *arguments, "--out", tmp_path / "one").out.splitlines()[0]
    seed = title.split("seed ")[1].split(",")[0]
    run_cli("dataset", *arguments, "--out", tmp_path / "two", "--seed", seed)
    names = ("MNIST/raw/train-images-idx3-ubyte", "dataset.json")
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)
    again = run_cli("dataset", *arguments, "--out", tmp_path / "one", "--resume")
    assert again.out.splitlines()[0] == title


def test_progress_bar_on_terminal(conditional_model: Path, tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        command(conditional_model, tmp_path / "data"), stdout=subprocess.DEVNULL, stderr=terminal, text=True
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 4096):
            shown += piece
    except OSError:  # raised on Linux when the other end is closed
        pass
    os.close(controller)
    assert process.wait() == 0
    assert b"340/340" in shown
    assert b"100%" in shown


def test_progress_lines_without_terminal(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistgen._cli.dataset.INTERVAL", 0)
    arguments = ("--n", 6_000, "--test", 0, "--seed", 1, "--workers", 1)
    outcome = run_cli("dataset", "--model", conditional_model, "--out", tmp_path / "data", *arguments)
    lines = [rf"{done},000 of 6,000 digits, [\d,]+ per second, [\d,]+ s left\n" for done in (2, 4, 6)]
    assert re.fullmatch("".join(lines), outcome.err)


def test_full_disk_is_one_line_error(conditional_model: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        command(conditional_model, tmp_path / "data"),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"mnistgen: {tmp_path / 'data'}: cannot be written (File too large")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--digits", "9-x"), "expected a whole number, got 'x'"),
        (("--digits", "10"), "--digits: expected a whole number, 0 to 9, got 10"),
        (("--digits", "0-99999999999"), "expected a range such as 0-4, got '0-99999999999'"),
        (("--digits", "5-3"), "expected a range such as 0-4, got '5-3'"),
        (("--format", "csv"), "format: expected one of idx, npz, png, parquet, webdataset, hf, got 'csv'"),
        (("--n", "many"), "expected a whole number, got 'many'"),
        (("--address", "10.0.0.1:6379"), "address: expected none for the engine local"),
    ],
)
def test_invalid_options(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run_cli("dataset", "--model", conditional_model, "--out", tmp_path / "data", *SMALL, *arguments)
    assert_refused(outcome, 2, message)
    assert not list(tmp_path.iterdir())


def test_default_model_with_two_workers(run_cli: RunCli, tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        arguments = ("--n", 6000, "--test", 0, "--seed", 1, "--workers", workers, "--out", tmp_path / name)
        assert run_cli("dataset", *arguments).code == 0
    path = "MNIST/raw/train-images-idx3-ubyte"
    images = [np.fromfile(tmp_path / name / path, np.uint8) for name in ("one", "two")]
    assert (images[0] == images[1]).all()


def test_a_signal_whose_exception_was_lost(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistgen._cli.dataset.exit_code", lambda: 130)
    outcome = run_cli("dataset", "--model", conditional_model, "--out", tmp_path / "data", *SMALL)
    assert outcome.err == "mnistgen: interrupted; run the same command with --resume to continue\n"
    assert not (tmp_path / "data").exists()
