"""The command line: files whole or not at all, errors in one line."""

import contextlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mnistgen
from tests.conftest import Outcome, RunCli, assert_refused, install


def sample(run_cli: RunCli, model: Path, *arguments: object) -> Outcome:
    return run_cli("sample", "--model", model, *arguments)


class TestSample:
    def test_png_npy_and_npz_hold_the_same_digits(
        self, run_cli: RunCli, conditional_model: Path, tmp_path: Path
    ) -> None:
        wanted = ("--n", 6, "--digit", "2,0,6-7", "--truncation", 0.5, "--seed", 5, "--start", 3, "--scale", 1)
        for ending in ("png", "npy", "npz"):
            path = tmp_path / f"digits.{ending}"
            outcome = sample(run_cli, conditional_model, *wanted, "--columns", 2, "--out", path)
            assert (outcome.code, outcome.err) == (0, "")
            assert outcome.out == f"{path}: 6 digits from small, seed 5, start 3\n"
        same: dict[str, Any] = {"digit": [2, 0, 6, 7], "truncation": 0.5, "seed": 5, "start": 3}
        images, labels = mnistgen.generate_labelled(6, **same, model=conditional_model)
        assert (np.load(tmp_path / "digits.npy") == images).all()
        with np.load(tmp_path / "digits.npz") as arrays:
            assert (arrays["images"] == images).all()
            assert (arrays["labels"] == labels).all()
        with Image.open(tmp_path / "digits.png") as picture:
            assert (np.asarray(picture) == mnistgen.grid(images, 2)).all()

    def test_files_record_how_to_generate_them_again(
        self, run_cli: RunCli, conditional_model: Path, tmp_path: Path
    ) -> None:
        sample(run_cli, conditional_model, "--n", 3, "--out", tmp_path / "a.png", "--scale", 1)
        with Image.open(tmp_path / "a.png") as picture:
            texts, pixels = picture.info, np.asarray(picture)
        assert texts["sha256"] == mnistgen.card(conditional_model).sha256
        assert (texts["model"], texts["start"]) == ("small", "0")
        arguments = json.loads(texts["arguments"])
        assert str(arguments["seed"]) == texts["seed"]
        again = getattr(mnistgen.Generator(conditional_model), texts["method"])(**arguments)
        assert (mnistgen.grid(again) == pixels).all()
        sample(run_cli, conditional_model, "--n", 3, "--seed", texts["seed"], "--out", tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as arrays:
            assert (arrays["images"] == again).all()
            assert {name: str(arrays[name]) for name in ("model", "sha256", "seed", "start")} == {
                name: texts[name] for name in ("model", "sha256", "seed", "start")
            }
            assert json.loads(str(arrays["arguments"])) == arguments

    def test_standard_output_gets_the_png_alone(self, unconditional_model: Path) -> None:
        command = [sys.executable, "-m", "mnistgen", "sample", "--model", str(unconditional_model), "--out", "-"]
        result = subprocess.run(command, check=True, capture_output=True)
        assert result.stdout.startswith(b"\x89PNG\r\n")
        assert b"seed" in result.stderr
        reading, writing = os.pipe()
        os.close(reading)
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        assert (ended.returncode, ended.stderr) == (1, "")

    @pytest.mark.parametrize("name", ["grid.png", "digits.npz"])
    def test_an_existing_file_keeps_its_place_but_not_its_content(
        self, run_cli: RunCli, unconditional_model: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_text("old")
        assert sample(run_cli, unconditional_model, "--out", tmp_path / name).code == 0
        assert (tmp_path / name).read_bytes()[:3] != b"old"
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_a_full_disk_leaves_the_old_file(self, conditional_model: Path, tmp_path: Path) -> None:
        """A limit on the size of files stands in for the disk: the write fails half-way, inside the system call."""
        path = tmp_path / "digits.npy"
        path.write_text("old")
        result = subprocess.run(
            [sys.executable, "-m", "mnistgen", "sample", "--model", str(conditional_model), "--out", str(path)],
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
        )
        assert result.returncode == 1
        assert result.stderr.startswith(f"mnistgen: {path}: cannot be written (the disk may be full: ")
        assert result.stderr.endswith("; nothing was changed\n")
        assert result.stderr.count("\n") == 1
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


class TestOtherCommands:
    def test_a_number(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        path = tmp_path / "number.png"
        outcome = run_cli("write", "2026", "--model", conditional_model, "--seed", 3, "--scale", 1, "--out", path)
        assert (outcome.code, outcome.out) == (0, f"{path}: 2026 from small, seed 3\n")
        with Image.open(path) as picture:
            assert (np.asarray(picture) == mnistgen.number("2026", seed=3, model=conditional_model)).all()

    def test_an_animation(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        path = tmp_path / "walk.webp"
        between = ("--from", 3, "--to", 8, "--frames", 5, "--fps", 50, "--scale", 2, "--seed", 1)
        outcome = run_cli("interpolate", "--model", conditional_model, *between, "--out", path)
        assert (outcome.code, outcome.out) == (0, f"{path}: 5 frames from small, seed 1\n")
        expected = mnistgen.Generator(conditional_model).interpolate(3, 8, frames=5, seed=1)
        with Image.open(path) as picture:
            assert picture.n_frames == 5  # type: ignore[attr-defined]
            picture.seek(4)
            assert (np.asarray(picture.convert("L"))[::2, ::2] == expected[4]).all()
            assert picture.info["duration"] == 20

    def test_a_grid_between_four_digits(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        path = tmp_path / "walk.png"
        sides = ("--corners", "3,5,8,9", "--rows", 3, "--columns", 4, "--scale", 1, "--seed", 1)
        outcome = run_cli("walk", "--model", conditional_model, *sides, "--out", path)
        assert (outcome.code, outcome.out) == (0, f"{path}: 3 x 4 digits from small, seed 1\n")
        expected = mnistgen.Generator(conditional_model).walk((3, 5, 8, 9), rows=3, columns=4, seed=1)
        with Image.open(path) as picture:
            assert (np.asarray(picture) == mnistgen.grid(expected, 4)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("sample --out a.png --n 0", "--n: expected a whole number, 1 or more, got 0"),
        ("sample --out a.png --n many", "--n"),
        ("sample --out a.png --n 100000000", "got 100000000; mnistgen dataset writes any number"),
        ("sample --out a.png --digit 10", "--digit: expected a whole number, 0 to 9, got 10"),
        ("sample --out a.png --digit 3-x", "'--digit': expected whole numbers, got '3-x'"),
        ("sample --out a.png --digit 5-3", "expected a range such as 0-4, or a repeat such as 1:3, got '5-3'"),
        ("sample --out a.png --seed -1", "--seed: expected a whole number, 0 or more, got -1"),
        ("sample --out a.png --columns 0", "--columns: expected a whole number, 1 or more, got 0"),
        ("sample --out a.png --device tpu", "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        ("sample --out a.png --sed 1", "--seed"),
        ("sample --out a.jpg", "a.jpg: expected a name ending in .png, .npz, .npy, .gif"),
        ("sample", "--out: expected a file, because standard output is not a terminal"),
        ("smaple", "Did you mean 'sample'?"),
        ("write 20x6 --out a.png", "NUMBER: expected digits and spaces, at least one digit, got '20x6'"),
        ("write 7 --truncation 2 --out a.png", "--truncation: expected a number from 0 to 1, got 2.0"),
        ("interpolate --from 3 --to 12 --out a.gif", "--to: expected a whole number, 0 to 9, got 12"),
        ("interpolate --from 3 --to 8 --fps 0 --out a.gif", "--fps: expected a number from 1 to 100, got 0"),
        ("walk --corners 1,2 --out a.png", "--corners: expected 4 labels, got 2"),
    ],
)
def test_refused_in_one_line(
    run_cli: RunCli,
    conditional_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *rest = arguments.split()
    model = () if command == "smaple" else ("--model", conditional_model)
    assert_refused(run_cli(command, *rest, *model), 2, words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere/grid.png", "nowhere does not exist; create it first"),
        ("folder.png", "expected a file, got a folder"),
        ("/sys/grid.png", "/sys/grid.png: "),  # where even root may not write
    ],
)
def test_unwritable_targets(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    monkeypatch.delattr(mnistgen.Generator, "sample_labelled" if name != "/sys/grid.png" else "stream")  # no work first
    assert_refused(sample(run_cli, conditional_model, "--out", name), 1, words)


def test_unknown_damaged_and_unconditional_models(run_cli: RunCli, unconditional_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    assert_refused(run_cli("sample", "--model", "mpl", "--out", out), 2, "no model 'mpl': did you mean mlp")
    assert_refused(run_cli("info", tmp_path), 1, f"{tmp_path / 'card.json'}: not found")
    refused = sample(run_cli, unconditional_model, "--digit", 7, "--out", out)
    assert_refused(refused, 2, "digit 7: model small is unconditional; class-conditional models: digits")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="which has no pseudo-terminals in Python")
def test_digits_in_the_terminal() -> None:
    """Half blocks in true colours: every pixel but for two at the margins is there."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mnistgen", "sample", "-n", "3", "--seed", "1", "--columns", "2"]
    variables = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "60"}
    process = subprocess.Popen(command, stdout=theirs, env=variables)
    os.close(theirs)
    content = b""
    with contextlib.suppress(OSError):  # the end, on Linux
        while part := os.read(ours, 65_536):
            content += part
    os.close(ours)
    assert process.wait() == 0
    *lines, last = content.decode().splitlines()
    assert last == "3 digits from digits, seed 1"
    greys = r"\x1b\[38;2;(\d+);\d+;\d+;48;2;(\d+);\d+;\d+m(▀+)"
    rows = [[(int(a), int(b)) for a, b, run in re.findall(greys, line) for _ in run] for line in lines]
    images = mnistgen.generate(3, seed=1)[:, 2:-2, 2:-2]
    for row, pixels in enumerate(rows[:12]):
        both = np.concatenate(images[:2], axis=1)[2 * row : 2 * row + 2]
        assert pixels == list(map(tuple, both.T.tolist()))
    assert [len(row) for row in rows] == [48] * 12 + [24] * 12


@pytest.mark.parametrize(
    "command", ["sample", "write", "read", "imitate", "interpolate", "walk", "dataset", "models", "info", "doctor"]
)
def test_help_shows_an_example(run_cli: RunCli, command: str) -> None:
    outcome = run_cli(command, "--help")
    assert outcome.code == 0
    assert re.search(rf"Examples?: mnistgen {command}", outcome.out)
    assert f" {command} " in run_cli("--help").out


def test_help_without_a_command(run_cli: RunCli) -> None:
    outcome = run_cli()
    assert (outcome.code, outcome.err) == (2, "")
    assert "Usage: mnistgen" in outcome.out


def test_version(run_cli: RunCli) -> None:
    assert run_cli("--version").out == f"mnistgen {mnistgen.__version__}\n"


def test_warnings_are_one_line(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "onnxruntime-gpu")
    with monkeypatch.context() as context:
        context.setattr("warnings.filters", [])  # as outside of pytest
        outcome = sample(run_cli, conditional_model, "--out", tmp_path / "grid.png")
    assert outcome.code == 0
    assert outcome.err.startswith("mnistgen: onnxruntime and onnxruntime-gpu are both installed")
    assert outcome.err.count("\n") == 1
