"""The command line: files whole or not at all, errors in one line."""

import contextlib
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

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
        for ending in ("png", "npy", "npz"):
            path = tmp_path / f"digits.{ending}"
            outcome = sample(run_cli, conditional_model, "--n", 12, "--seed", 5, "--scale", 1, "--out", path)
            assert (outcome.code, outcome.err) == (0, "")
            assert outcome.out == f"{path}: 12 digits from small, seed 5\n"
        images, labels = mnistgen.generate(12, seed=5, model=conditional_model, return_labels=True)
        assert (np.load(tmp_path / "digits.npy") == images).all()
        with np.load(tmp_path / "digits.npz") as arrays:
            assert (arrays["images"] == images).all()
            assert (arrays["labels"] == labels).all()
            assert (str(arrays["model"]), int(arrays["seed"])) == ("small", 5)
        with Image.open(tmp_path / "digits.png") as picture:
            assert (np.asarray(picture)[2:30, 2:30] == images[0]).all()
            assert picture.size == (4 * 32, 3 * 32)

    def test_the_seed_it_prints_makes_the_same_digits(
        self, run_cli: RunCli, conditional_model: Path, tmp_path: Path
    ) -> None:
        outcome = sample(run_cli, conditional_model, "--n", 3, "--out", tmp_path / "a.npy")
        seed = outcome.out.rsplit("seed ", 1)[1].strip()
        sample(run_cli, conditional_model, "--n", 3, "--seed", seed, "--out", tmp_path / "b.npy")
        assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()

    def test_a_digit(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        sample(run_cli, conditional_model, "--digit", 3, "--seed", 1, "--n", 4, "--out", tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as arrays:
            assert arrays["labels"].tolist() == [3] * 4

    def test_digits_in_turn_and_truncation(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        path = tmp_path / "a.npz"
        sample(
            run_cli, conditional_model, "--digit", "2,0,2,6", "--truncation", 0.5, "--seed", 1, "--n", 6, "--out", path
        )
        expected = mnistgen.generate(6, digit=[2, 0, 2, 6], truncation=0.5, seed=1, model=conditional_model)
        with np.load(path) as arrays:
            assert arrays["labels"].tolist() == [2, 0, 2, 6, 2, 0]
            assert (arrays["images"] == expected).all()

    def test_columns_and_scale(self, run_cli: RunCli, unconditional_model: Path, tmp_path: Path) -> None:
        path = tmp_path / "grid.png"
        sample(run_cli, unconditional_model, "--n", 6, "--columns", 6, "--scale", 3, "--threads", 1, "--out", path)
        with Image.open(path) as picture:
            assert picture.size == (6 * 32 * 3, 32 * 3)

    def test_standard_output_gets_the_png_alone(self, unconditional_model: Path) -> None:
        command = [sys.executable, "-m", "mnistgen", "sample", "--model", str(unconditional_model), "--out", "-"]
        result = subprocess.run(command, check=True, capture_output=True)
        assert result.stdout.startswith(b"\x89PNG\r\n")
        assert b"seed" in result.stderr

    def test_a_reader_that_has_had_enough(self, unconditional_model: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "mnistgen", "sample", "--model", str(unconditional_model), "--out", "-"]
        result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr

    def test_an_existing_file_keeps_its_place_but_not_its_content(
        self, run_cli: RunCli, unconditional_model: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "grid.png"
        path.write_text("old")
        assert sample(run_cli, unconditional_model, "--out", path).code == 0
        assert path.read_bytes().startswith(b"\x89PNG")
        assert list(tmp_path.iterdir()) == [path]


class TestWalks:
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
            assert picture.size == (4 * 32, 3 * 32)
            assert (np.asarray(picture)[-30:-2, -30:-2] == expected[-1]).all()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("write", "20x6", "--out", "a.png"), ["NUMBER: expected digits and spaces, got 'x' in '20x6'"]),
            (("write", "7", "--out", "a.jpg"), ["a.jpg: expected a name ending in .png, got '.jpg'"]),
            (
                ("write", "7", "--truncation", 2, "--out", "a.png"),
                ["truncation: expected a number from 0 to 1, got 2.0"],
            ),
            (
                ("interpolate", "--from", 3, "--to", 8, "--out", "a.png"),
                ["a.png: expected a name ending in .gif, .apng"],
            ),
            (
                ("interpolate", "--from", 3, "--to", 12, "--out", "a.gif"),
                ["--to: expected a whole number, 0 to 9, got 12"],
            ),
            (("interpolate", "--from", 3, "--to", 8, "--frames", 1, "--out", "a.gif"), ["frames: expected", "got 1"]),
            (
                ("interpolate", "--from", 3, "--to", 8, "--fps", 0, "--out", "a.gif"),
                ["fps: expected 1 to 100", "got 0"],
            ),
            (("walk", "--corners", "1,2", "--out", "a.png"), ["corners: expected 4 digits, got 2"]),
            (("walk", "--corners", "1,2,3,x", "--out", "a.png"), ["--corners", "expected a whole number, got 'x'"]),
        ],
    )
    def test_refused(
        self,
        run_cli: RunCli,
        conditional_model: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[object, ...],
        words: list[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert_refused(run_cli(*arguments, "--model", conditional_model), 2, *words)
        assert list(tmp_path.iterdir()) == []


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--n", "0"], ["n: expected a whole number, 1 or more, got 0"]),
            (["--n", "-3"], ["n: expected a whole number, 1 or more, got -3"]),
            (["--n", "2.5"], ["--n", "expected a whole number, got '2.5'"]),
            (["--n", "many"], ["--n", "expected a whole number, got 'many'"]),
            (["--n", str(2**80)], ["n: expected a whole number, at most"]),
            (["--digit", "10"], ["digit: expected a whole number, 0 to 9, got 10"]),
            (["--digit", "-1"], ["digit: expected a whole number, 0 to 9, got -1"]),
            (["--seed", "-1"], ["seed: expected a whole number, 0 or more, got -1"]),
            (["--columns", "0"], ["columns: expected a whole number, 1 or more, got 0"]),
            (["--scale", "0"], ["scale: expected a whole number, 1 or more, got 0"]),
            (["--threads", "0"], ["threads: expected a whole number"]),
            (["--device", "tpu"], ["'tpu' is not one of 'auto', 'cpu', 'cuda'"]),
            (["--no-such-option"], ["No such option"]),
        ],
    )
    def test_one_line_and_no_file(
        self, run_cli: RunCli, conditional_model: Path, tmp_path: Path, arguments: list[str], words: list[str]
    ) -> None:
        outcome = sample(run_cli, conditional_model, "--out", tmp_path / "grid.png", *arguments)
        assert_refused(outcome, 2, *words)
        assert list(tmp_path.iterdir()) == []

    def test_a_digit_of_an_unconditional_model(
        self, run_cli: RunCli, unconditional_model: Path, tmp_path: Path
    ) -> None:
        outcome = sample(run_cli, unconditional_model, "--digit", 7, "--out", tmp_path / "grid.png")
        assert_refused(outcome, 2, "digit 7", "small is unconditional", "class-conditional models:")
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_model(self, run_cli: RunCli, tmp_path: Path) -> None:
        outcome = run_cli("sample", "--model", "mpl", "--out", tmp_path / "grid.png")
        assert_refused(outcome, 2, "no model 'mpl'", "did you mean mlp")
        assert list(tmp_path.iterdir()) == []

    def test_a_damaged_model(self, run_cli: RunCli, tmp_path: Path) -> None:
        outcome = run_cli("info", tmp_path)
        assert_refused(outcome, 1, f"{tmp_path / 'card.json'}: not found")

    def test_without_out(self, run_cli: RunCli) -> None:
        assert_refused(run_cli("sample"), 2, "--out")

    @pytest.mark.parametrize(
        ("arguments", "near"),
        [
            (("smaple",), "Did you mean 'sample'?"),
            (("sample", "--sed", "1"), "--seed"),
            (("dataset", "--out", "new", "--format", "idxx"), "--format: expected one of idx, npz, png, parquet"),
            (("dataset", "--out", "new", "--format", "idxx"), "did you mean idx?"),
            (("dataset", "--out", "new", "--engine", "rai"), "did you mean ray?"),
        ],
    )
    def test_the_nearest_is_offered(self, run_cli: RunCli, arguments: tuple[str, ...], near: str) -> None:
        assert_refused(run_cli(*arguments), 2, near)

    def test_messages_speak_of_options(self, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert run_cli("dataset", "-o", "test", "-n", "5", "--quiet").code == 0
        outcome = run_cli("dataset", "-o", "test", "-n", "5")
        assert outcome.err == "mnistgen: test: contains a data set; --force replaces it\n"
        outcome = run_cli("sample", "-o", "a.npz", "-n", 10**8)
        assert outcome.err.endswith("got 100000000; mnistgen dataset writes any number\n")
        assert run_cli("walk", "-o", "a.png", "--corners", "1,2").err.startswith(
            "mnistgen: --corners: expected 4 digits"
        )

    @pytest.mark.parametrize("name", ["grid.gif", "grid", ".png", "grid.png.txt"])
    def test_an_unknown_ending(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path, name: str) -> None:
        outcome = sample(run_cli, conditional_model, "--out", tmp_path / name)
        assert_refused(outcome, 2, "expected a name ending in .png, .npy, .npz")
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_folder(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        outcome = sample(run_cli, conditional_model, "--out", tmp_path / "nowhere" / "grid.png")
        assert_refused(outcome, 1, f"the folder {tmp_path / 'nowhere'} does not exist")

    def test_a_folder_in_its_place(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        (tmp_path / "grid.png").mkdir()
        assert_refused(sample(run_cli, conditional_model, "--out", tmp_path / "grid.png"), 1, "a file, got a folder")

    def test_without_permission(self, run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o500)
        if os.access(folder, os.W_OK):  # root may write wherever the file system lets anybody
            folder = Path("/sys")
        assert_refused(sample(run_cli, conditional_model, "--out", folder / "grid.png"), 1, "grid.png: ")

    def test_a_full_disk_leaves_the_old_file(self, conditional_model: Path, tmp_path: Path) -> None:
        """A limit on the size of files stands in for the disk: the write fails half-way, inside the system call."""
        path = tmp_path / "digits.npy"
        path.write_text("old")
        command = [sys.executable, "-m", "mnistgen", "sample", "--model", str(conditional_model), "--out", str(path)]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
        )
        assert result.returncode == 1
        assert result.stderr.startswith(f"mnistgen: {path}: cannot be written (File too large); nothing was changed")
        assert result.stderr.count("\n") == 1
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]


def test_ranges_of_digits(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    for digits in ("3-5,0", "3,4,5,0"):
        assert (
            sample(run_cli, conditional_model, "-o", tmp_path / f"{digits}.npz", "--digit", digits, "--seed", 1).code
            == 0
        )
    with np.load(tmp_path / "3-5,0.npz") as first, np.load(tmp_path / "3,4,5,0.npz") as second:
        assert (first["images"] == second["images"]).all()
        assert first["labels"][:5].tolist() == [3, 4, 5, 0, 3]


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


@pytest.mark.parametrize("command", ["sample", "reproduce", "models", "info", "bench", "doctor", "dataset"])
def test_help_shows_an_example(run_cli: RunCli, command: str) -> None:
    outcome = run_cli(command, "--help")
    assert outcome.code == 0
    assert re.search(rf"Examples?: mnistgen {command}", outcome.out)


def test_version(run_cli: RunCli) -> None:
    assert run_cli("--version").out == f"mnistgen {mnistgen.__version__}\n"


def test_two_onnxruntimes_are_one_line(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "onnxruntime-gpu")
    with monkeypatch.context() as context:
        context.setattr("warnings.filters", [])  # as outside of pytest
        outcome = sample(run_cli, conditional_model, "--out", tmp_path / "grid.png")
    assert outcome.code == 0
    assert outcome.err.startswith("mnistgen: onnxruntime and onnxruntime-gpu are both installed")
    assert outcome.err.count("\n") == 1
