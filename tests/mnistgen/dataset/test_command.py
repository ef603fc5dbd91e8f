"""mnistgen dataset: files, output and errors."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mnistgen
from tests.conftest import RunCli, assert_refused, contents

SMALL = ("--n", 300, "--test", 40, "--seed", 1)


def command(out: Path, *arguments: object) -> list[str]:
    """The command line for a new process."""
    return [sys.executable, "-m", "mnistgen", "dataset", "--out", str(out), *map(str, arguments)]


def test_prints_summary(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    outcome = run_cli("dataset", "--model", conditional_model, "--out", out, *SMALL, "--digits", "0-2,7:3")
    assert (outcome.code, outcome.err) == (0, "")
    described = json.loads((out / "dataset.json").read_text())
    title, header, train, test, *files, last = outcome.out.splitlines()
    assert title == f"{out}: 300 train and 40 test digits from small, seed 1, as idx"
    assert header.split() == ["digit", *map(str, range(10))]
    assert train.split() == ["train", *map(str, described["counts"]["train"])]
    assert test.split() == ["test", *map(str, described["counts"]["test"])]
    assert [line.split() for line in files] == [[sha256, name] for name, sha256 in described["files"].items()]
    assert last == f"  described by {out}/dataset.json, with the SHA-256 of each of 4 files"
    assert described["weights"] == [1, 1, 1, 0, 0, 0, 0, 3, 0, 0]
    many = run_cli("dataset", "--model", conditional_model, "--out", out, *SMALL, "--format", "png", "--force")
    assert many.out.splitlines()[4:] == [f"  described by {out}/dataset.json, with the SHA-256 of each of 340 files"]


def test_fresh_seed_is_printed(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    arguments = ("--model", conditional_model, "--n", 300, "--test", 0)
    title = run_cli("dataset", *arguments, "--out", tmp_path / "one").out.splitlines()[0]
    seed = title.split("seed ")[1].split(",")[0]
    outcome = run_cli("dataset", *arguments, "--out", tmp_path / "two", "--seed", seed, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_style_of_pictures(run_cli: RunCli, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    mnistgen.save(picture, 255 - mnistgen.number("2 7 4", seed=3), scale=6)
    outcome = run_cli("dataset", "-o", tmp_path / "data", "-n", 10, "--style", picture, "--style", picture)
    assert outcome.code == 0, outcome.err
    described = json.loads((tmp_path / "data" / "dataset.json").read_text())
    expected = mnistgen.Generator().encode(mnistgen.read_digits(picture).images).latents.mean(axis=0)
    assert (described["spread"], described["style"]) == (0.3, pytest.approx(expected.tolist(), abs=1e-5))


def test_progress_bar_on_terminal(conditional_model: Path, tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    call = command(tmp_path / "data", "--model", conditional_model, *SMALL)
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=terminal, text=True)
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


def test_progress_lines_without_terminal(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistgen.cli.dataset.INTERVAL", 0)
    arguments = ("--n", 3_000, "--test", 0, "--seed", 1)
    outcome = run_cli("dataset", "--model", conditional_model, "--out", tmp_path / "data", *arguments)
    lines = [rf"{done},000 of 3,000 digits, [\d,]+ per second, [\d,]+ s left\n" for done in (1, 2, 3)]
    assert re.fullmatch("".join(lines), outcome.err)


def test_full_disk_is_one_line(conditional_model: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        command(tmp_path / "data", "--model", conditional_model, *SMALL),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"mnistgen: {tmp_path / 'data'}: cannot be written (File too large")
    assert result.stderr.endswith("; nothing was changed\n")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_interruption_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(command(tmp_path / "data", "--n", 10_000_000), stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob(".data-*/new/MNIST/raw/*")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert process.stderr is not None
    assert process.stderr.read() == "mnistgen: interrupted\n"
    process.stderr.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--digits", "10"), "--digits: expected a whole number, 0 to 9, got 10"),
        (
            ("--format", "idxx"),
            "--format: expected one of idx, npz, png, parquet, webdataset, got 'idxx'; did you mean idx?",
        ),
        (("--slant", "x"), "'--slant': expected a number or a range such as 1.5:4, got 'x'"),
        (("--thickness", "3:2"), "--thickness: model small has no attributes to choose"),
    ],
)
def test_refused(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run_cli("dataset", "--model", conditional_model, "--out", tmp_path / "data", *SMALL, *arguments)
    assert_refused(outcome, 2, message)
    assert not list(tmp_path.iterdir())


def test_messages_speak_of_options(run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli("dataset", "-o", "test", "-n", "5", "--quiet").code == 0
    outcome = run_cli("dataset", "-o", "test", "-n", "5")
    assert outcome.err == "mnistgen: test: contains a data set; --force replaces it\n"
