"""mnistgen reproduce dataset.json: regenerates a data set and compares all bytes."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnistgen._dataset.build import write_dataset
from mnistgen._dataset.journal import Record
from mnistgen._dataset.plan import Task
from mnistgen._dataset.work import Job
from mnistgen._reproduce import reproduce
from tests.conftest import Outcome, RunCli, write_model


@pytest.fixture
def made(conditional_model: Path, tmp_path: Path) -> Path:
    """The folder of a data set."""
    out = tmp_path / "data"
    write_dataset(out, n=130, test=20, start=40, digits=[3, 5], seed=5, model=conditional_model, shard_size=20)
    return out


def again(run_cli: RunCli, model: Path, *arguments: object) -> Outcome:
    """Run `mnistgen reproduce` with one worker."""
    return run_cli("reproduce", *arguments, "--model", model, "--threads", 1)


def test_reproduces_every_byte(run_cli: RunCli, conditional_model: Path, made: Path) -> None:
    outcome = again(run_cli, conditional_model, made / "dataset.json")
    expected = f"{made}/dataset.json: reproduced from small, seed 5: every byte of 4 files is equal\n"
    assert (outcome.code, outcome.out) == (0, expected)
    assert [path.name for path in made.parent.iterdir()] == ["data"]


def test_neighbouring_files_are_untouched(run_cli: RunCli, conditional_model: Path, made: Path) -> None:
    neighbour = made.with_name(f".{made.name}.again")
    neighbour.mkdir()
    (neighbour / "thesis.txt").write_text("mine")
    assert again(run_cli, conditional_model, made / "dataset.json").code == 0
    assert (neighbour / "thesis.txt").read_text() == "mine"
    assert sorted(path.name for path in made.parent.iterdir()) == [neighbour.name, "data"]


def test_reproduced_data_set_can_be_kept(run_cli: RunCli, conditional_model: Path, made: Path) -> None:
    out = made.with_name("copy")
    outcome = again(run_cli, conditional_model, made / "dataset.json", "--out", out)
    assert outcome.out.endswith(f"every byte of 4 files is equal; written to {out}\n")
    for path in made.rglob("*"):
        assert path.is_dir() or (out / path.relative_to(made)).read_bytes() == path.read_bytes()


def test_reports_changed_and_missing_files(run_cli: RunCli, conditional_model: Path, made: Path) -> None:
    (made / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with (made / "MNIST/raw/train-images-idx3-ubyte").open("r+b") as file:
        file.seek(1000)
        file.write(bytes([file.read(1)[0] ^ 1]))
    outcome = again(run_cli, conditional_model, made / "dataset.json")
    assert outcome.code == 1
    names = "MNIST/raw/train-images-idx3-ubyte, MNIST/raw/t10k-labels-idx1-ubyte"
    assert outcome.err.endswith(f"2 of 4 files differ or are missing: {names}\n")


@pytest.mark.parametrize("said", ["file", "counts"])
def test_manifest_with_other_values(run_cli: RunCli, conditional_model: Path, made: Path, said: str) -> None:
    path = made / "dataset.json"
    described = json.loads(path.read_text())
    if said == "file":
        described["files"]["MNIST/raw/t10k-labels-idx1-ubyte"] = "0" * 64
    else:
        one, other = (k for k, count in enumerate(described["counts"]["train"]) if count)
        described["counts"]["train"][one] += 1
        described["counts"]["train"][other] -= 1
    path.write_text(json.dumps(described))
    outcome = again(run_cli, conditional_model, path)
    assert outcome.code == 1
    differ = "1 of 4 files differ or are missing: MNIST/raw/t10k-labels-idx1-ubyte" if said == "file" else "the counts"
    assert differ in outcome.err


def test_manifest_with_more_digits_than_files_can_hold(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path
) -> None:
    write_dataset(tmp_path / "data", n=50, test=0, format="parquet", seed=5, model=conditional_model)
    path = tmp_path / "data/dataset.json"
    counts = {"train": [10**17] * 10}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n": 10**18, "counts": counts}))
    outcome = again(run_cli, conditional_model, path)
    assert outcome.code == 1
    assert "describes 1,000,000,000,000,000,000 digits, but its files have only" in outcome.err
    assert [folder.name for folder in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_interruption_leaves_no_temporary_files(
    conditional_model: Path, made: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    def stop(self: Job, task: Task) -> Record:
        if task.number == 3:
            raise end
        return real(self, task)

    real = Job.__call__
    monkeypatch.setattr(Job, "__call__", stop)
    with pytest.raises(end):
        reproduce(made / "dataset.json", model=str(conditional_model), threads=1)
    assert [folder.name for folder in made.parent.iterdir()] == ["data"]


def test_next_call_removes_leftovers_of_killed_one(run_cli: RunCli, conditional_model: Path, made: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from mnistgen._dataset.work import Job
from mnistgen._reproduce import reproduce
real = Job.__call__
Job.__call__ = lambda self, task: os.kill(os.getpid(), signal.SIGKILL) if task.number == 3 else real(self, task)
reproduce(Path("data/dataset.json"), model={str(conditional_model)!r}, threads=1)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=made.parent)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(made.parent.iterdir())) == 2
    assert again(run_cli, conditional_model, made / "dataset.json").code == 0
    assert [folder.name for folder in made.parent.iterdir()] == ["data"]


def test_other_model_raises(run_cli: RunCli, made: Path, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.doc_string = "another one"

    other = write_model(tmp_path / "other", edit=change)
    outcome = again(run_cli, other, made / "dataset.json")
    assert outcome.code == 1
    assert "expected the model with SHA-256" in outcome.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "expected the JSON of a data set, got something else"),
        ("[1]", "expected a JSON object, got list"),
        ("{}", "format: expected text, got None; is it a dataset.json?"),
    ],
)
def test_other_files_raise(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    outcome = again(run_cli, conditional_model, path)
    assert outcome.code == 2
    assert outcome.err == f"mnistgen: {path}: {message}\n"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", -1, "seed: expected a whole number, 0 to 18446744073709551615, got -1"),
        ("n", True, "n: expected a whole number, 0 to 2000000000000000000, got True"),
        ("format", "../x", "format: expected one of idx"),
        ("digits", ["x"], "digits: expected some of 0 to 9, got ['x']"),
    ],
)
def test_invalid_manifest_raises(
    run_cli: RunCli, conditional_model: Path, made: Path, field: str, value: object, message: str
) -> None:
    path = made / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    outcome = again(run_cli, conditional_model, path)
    assert outcome.code == 2
    assert message in outcome.err
    assert [folder.name for folder in made.parent.iterdir()] == ["data"]


def test_reproduces_picture_of_data_set(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", n=20, test=5, format="png", seed=5, model=conditional_model)
    pictures = sorted((tmp_path / "data").rglob("*.png"))
    for picture in pictures[::7]:
        outcome = again(run_cli, conditional_model, picture)
        assert outcome.code == 0
        assert "reproduced by dataset from small, seed 5, index " in outcome.out
