"""train.py: complete runs, interrupted and resumed ones, options and errors."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.utils._pytree import tree_leaves

import mnistgen
from tests.conftest import Outcome, contents, write_model
from tests.training.small import DATA, SMALL, drawn, script, train
from training import publish
from training import train as train_script
from training.config import change, to_json
from training.data import load_data
from training.presets import QUICK
from training.run import Run

pytestmark = pytest.mark.usefixtures("small")
ROOT = Path(__file__).resolve().parents[2]
LOOPS = ("1-adversarial", "2-distillation", "3-moments", "4-encoder")
SHAPES = ("bar", "cross", "ring")


class Killed(BaseException):
    """Ends a run without warning."""


class Finished(NamedTuple):
    """A complete run."""

    path: Path
    data: str
    outcome: Outcome


@pytest.fixture(scope="module")
def conv(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of an unconditional preset, on small MNIST."""
    path = tmp_path_factory.mktemp("runs") / "conv"
    assert train("--preset", "conv", "--out", path).code == 0
    return path


@pytest.fixture(scope="module")
def digits(small: None, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A complete run of the default preset, on a folder of pictures of three classes."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    folder = path.with_name("shapes")
    for index, (image, label) in enumerate(zip(*drawn(630, len(SHAPES)), strict=True)):
        (folder / SHAPES[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / SHAPES[label] / f"{index}.png")
    return Finished(path, str(folder), train("--out", path, "--no-evaluate", data=folder))


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Export another model, and draw no figures, to save time."""
    monkeypatch.setattr(train_script, "build", lambda model, out: write_model(out))
    monkeypatch.setattr(train_script, "draw_figures", lambda run: None)


# A run that is killed while it writes the checkpoint of its sixth step.
KILLED = """
import os, signal, sys
import pytest
from tests.training.conftest import use_small
from tests.training.small import train
from tests.training.test_train import LOOPS, interrupted

use_small(pytest.MonkeyPatch())
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with interrupted("save", LOOPS[0], 6, lambda: setattr(os, "fsync", kill)):
    train("--preset", "conv", "--out", sys.argv[1])
"""


@contextmanager
def interrupted(method: str, loop: str, step: int, interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` before this method of Run at a step."""
    original = getattr(Run, method)

    def interrupting(run: Run, number: int, *arguments: Any, **options: Any) -> Any:
        if (run.loop, number) == (loop, step):
            interrupt()
        return original(run, number, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, method, interrupting)
        yield


def assert_same_result(one: Path, other: Path) -> None:
    """Compare all that two runs computed, except for times."""
    results = []
    for path in (one, other):
        checkpoint = torch.load(path / "checkpoint.pt", weights_only=True) | {"seconds": 0}
        models = [load_file(file) for file in sorted(path.glob("*.safetensors"))]
        metrics = [line | {"minutes": 0, "images_per_second": 0} for line in Run(path).read_metrics()]
        samples = [(file.name, file.read_bytes()) for file in Run(path).sample_paths()]
        results.append(tree_leaves([checkpoint, models, metrics, samples]))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected) if isinstance(expected, torch.Tensor) else found == expected


def refused(*arguments: object, data: object = DATA) -> str:
    """Run train.py with invalid arguments and return its one-line error message."""
    outcome = train(*arguments, data=data)
    assert (outcome.code, outcome.err[:10], outcome.err.count("\n")) == (1, "train.py: ", 1), outcome
    return outcome.err


class TestCompleteRun:
    def test_files(self, digits: Finished) -> None:
        records = {"run.json", "metrics.jsonl", "checkpoint.pt", *(f"{loop}.safetensors" for loop in LOOPS)}
        figures = {"losses.png", "progress.gif", "strip.png", "final.png"}
        assert {path.name for path in digits.path.iterdir()} == records | figures | {"samples", "export"}
        settings = {"preset": to_json(SMALL["digits"]), "data": digits.data, "ink": "auto"}
        assert json.loads((digits.path / "run.json").read_text()) == settings

    def test_metrics_and_sample_grids(self, digits: Finished) -> None:
        lines = Run(digits.path).read_metrics()
        logged, evaluated = (
            [(line["loop"], line["step"]) for line in lines if ("ratio" in line) == ratio] for ratio in (False, True)
        )
        later = [(loop, step) for loop in LOOPS[1:] for step in (3, 6)]
        # Every two steps, and before each checkpoint.
        assert logged[:10] == [(LOOPS[0], step) for step in (2, 3, 4, 6, 7, 8, 9, 10, 12, 14)]
        assert logged[10:] == [(loop, step) for loop in LOOPS[1:] for step in range(1, 7)]
        assert evaluated == [(LOOPS[0], 7), (LOOPS[0], 14), *later]
        grids = [*((LOOPS[0], step) for step in (4, 8, 12, 14)), *later]
        assert [path.stem for path in Run(digits.path).sample_paths()] == [f"{loop}-{step:07d}" for loop, step in grids]

    def test_figures(self, conv: Path) -> None:
        sizes = {"progress.gif": (320, 320), "strip.png": (320, 2 * 32), "final.png": (320, 320)}
        for name, size in sizes.items():
            with Image.open(conv / name) as picture:
                assert picture.size == size
                assert getattr(picture, "n_frames", 1) == (4 if name == "progress.gif" else 1)

    def test_messages(self, digits: Finished) -> None:
        assert (digits.outcome.code, digits.outcome.err) == (0, "")
        lines = digits.outcome.out.split("\n")
        assert lines[-2] == f"Sample from it: mnistgen sample --model {digits.path / 'export'} --out grid.png"
        assert any(line.startswith("digits, seed 1, on 540 images of shapes, cpu, float32, ") for line in lines)
        for loop, end in zip(LOOPS, ("14/14", "6/6", "6/6", "6/6"), strict=True):
            logged, evaluated = (line for line in lines if line.startswith(f"{loop} step {end}: "))
            assert "images/s, 0 min left" in logged
            assert "held-out ratio" in evaluated

    def test_export_of_named_classes(self, digits: Finished) -> None:
        generator = mnistgen.Generator(digits.path / "export")
        by_name, by_index = (generator.sample(2, seed=1, labels=label) for label in ("ring", 2))
        assert by_name.tobytes() == by_index.tobytes()
        card, sha256 = generator.card, load_data(digits.data).sha256
        assert (card.name, card.classes, card.preset) == ("shapes-digits", SHAPES, to_json(SMALL["digits"]))
        assert card.steps - 3 * 6 in (7, 14)  # whichever teacher has the better held-out ratio
        data = {"name": "shapes", "images": 540, "sha256": sha256, "classes": [*SHAPES], "licence": None}
        assert card.data == data

    def test_unconditional_export(self, conv: Path, tmp_path: Path) -> None:
        generator = mnistgen.Generator(conv / "export")
        assert (generator.card.classes, generator.card.data["classes"]) == (None, [*"0123456789"])
        mnistgen.save(tmp_path / "grid.png", generator.sample(100, seed=1))
        assert (tmp_path / "grid.png").read_bytes() == (conv / "final.png").read_bytes()

    def test_publishing(self, conv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(publish, "WEIGHTS", tmp_path / "weights")
        monkeypatch.setattr(publish, "MODELS", tmp_path / "models")
        outcome = script("publish", conv / "1-adversarial.safetensors")
        assert (outcome.code, outcome.out.split(",")[0]) == (0, f"{tmp_path / 'models' / 'conv'}: conv"), outcome
        bundled, weights = contents(tmp_path / "models" / "conv"), contents(tmp_path / "weights")
        assert bundled.keys() == {"model.onnx", "card.json"}
        assert bundled["model.onnx"] == (conv / "export" / "model.onnx").read_bytes()
        assert weights.keys() == {"conv.safetensors", "conv/metrics.jsonl", "conv/losses.png"}


@pytest.mark.usefixtures("no_export")
class TestResuming:
    def test_runs_killed_in_each_loop_are_bitwise_identical(self, digits: Finished, tmp_path: Path) -> None:
        def kill() -> None:
            raise Killed

        option = "--out"
        for method, loop, step in (
            ("log", LOOPS[0], 2),  # before the first checkpoint
            ("log", LOOPS[0], 6),
            ("save", LOOPS[0], 7),  # after an evaluation
            ("log", LOOPS[1], 5),
            ("samples", LOOPS[2], 6),
            ("log", LOOPS[3], 2),
        ):
            with pytest.raises(Killed), interrupted(method, loop, step, kill):
                train(option, tmp_path / "run", "--no-evaluate", data=digits.data)
            option = "--resume"
        assert train("--resume", tmp_path / "run", "--no-evaluate").code == 0
        assert_same_result(tmp_path / "run", digits.path)

    def test_sigkill_while_a_checkpoint_is_written(self, conv: Path, tmp_path: Path) -> None:
        settings = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
        killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "run"], cwd=ROOT, env=settings)
        assert killed.returncode == -signal.SIGKILL
        assert len(list((tmp_path / "run").glob(".*.pt"))) == 1  # the partial checkpoint
        assert train("--resume", tmp_path / "run").code == 0
        assert_same_result(tmp_path / "run", conv)

    def test_ctrl_c_says_how_to_resume(self, tmp_path: Path) -> None:
        run = tmp_path / "a run"
        with interrupted("log", LOOPS[0], 4, lambda: signal.raise_signal(signal.SIGINT)):
            outcome = train("--preset", "mlp", "--out", run)
        assert (outcome.code, outcome.err) == (130, f"train.py: interrupted; resume with --resume '{run}'\n")

    def test_more_epochs(self, conv: Path, tmp_path: Path) -> None:
        run = Path(shutil.copytree(conv, tmp_path / "run"))
        assert train("--resume", run, "--epochs", 3).code == 0
        assert Run(run).read_settings()["preset"]["adversarial"]["epochs"] == 3
        assert [line["step"] for line in Run(run).read_metrics() if "ratio" in line] == [7, 14, 21]

    def test_refusals_change_nothing(self, conv: Path, tmp_path: Path) -> None:
        run = Path(shutil.copytree(conv, tmp_path / "run"))
        assert f"is not empty; --resume {run} resumes it" in refused("--preset", "conv", "--out", run)
        assert "expected at least the 14 steps that are done, got 7" in refused("--resume", run, "--epochs", 1)
        for option in (("--preset", "conv"), ("--data", "mnist"), ("--seed", 1), ("--quick",), ("--out", run)):
            assert "takes only --epochs, --device, --evaluate and --tensorboard" in refused("--resume", run, *option)
        assert contents(run) == contents(conv)

    def test_damaged_checkpoints_and_other_data(self, conv: Path, tmp_path: Path) -> None:
        run = Path(shutil.copytree(conv, tmp_path / "run"))
        path, settings = run / "checkpoint.pt", Run(run).read_settings()
        whole = path.read_bytes()
        for damaged in (whole[:-100], b""):
            path.write_bytes(damaged)
            assert f"{path}: not a checkpoint (" in refused("--resume", run)
        path.write_bytes(whole)
        np.savez(other := tmp_path / "other.npz", x_train=drawn(600, 3)[0])
        Run(run).save_settings(settings | {"data": str(other)})
        assert "was trained on images with SHA-256 dc15d0b5" in refused("--resume", run)
        Run(run).save_settings(settings)
        assert contents(run) == contents(conv)


@pytest.mark.usefixtures("no_export")
class TestOptions:
    def test_unlabelled_images(self, tmp_path: Path) -> None:
        np.savez(data := tmp_path / "unlabelled.npz", x_train=drawn(600, 3)[0])
        assert "digits: expected labelled images" in refused("--out", tmp_path / "run", data=data)
        assert train("--preset", "mlp", "--epochs", 1, "--out", tmp_path / "run", data=data).code == 0

    def test_default_is_evaluated(self, digits: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run = Path(shutil.copytree(digits.path, tmp_path / "run"))
        found: list[Path] = []
        monkeypatch.setattr(train_script, "assess", lambda sources, *_, **__: found.extend(it.path for it in sources))
        assert train("--resume", run).code == 0
        assert found == [run / "export", run / "export-float32"]  # the loss from quantization

    def test_dry_run_prints_the_preset_and_writes_nothing(self, tmp_path: Path) -> None:
        options = ("--seed", 3, "--epochs", 1, "--dry-run", "--out", tmp_path / "run")
        assert json.loads(train("--preset", "mlp", *options).out) == to_json(change(SMALL["mlp"], epochs=1, seed=3))
        assert json.loads(train("--quick", *options).out) == to_json(change(QUICK, epochs=1, seed=3))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--preset", "dcgn"), "no preset 'dcgn': did you mean dcgan?"),
            (("--preset", "mlp", "--epochs", 0), "epochs: input should be greater than or equal to 1, got 0"),
            (("--preset", "mlp", "--device", "tpu"), "device: expected one of auto, cpu, cuda, got 'tpu'"),
            (("--quick", "--preset", "mlp"), "--quick is a short form of digits; omit --preset"),
            (("--resume", "nowhere"), "nowhere is no run directory: no run.json; start a run with --out"),
        ],
    )
    def test_invalid_options(self, options: tuple[object, ...], message: str) -> None:
        assert message in refused(*options)
