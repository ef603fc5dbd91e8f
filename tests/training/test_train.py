"""The script train.py: complete runs, kills, resuming and errors."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import mnistgen
from tests.training.conftest import Refused, RunScript, train, train_in_two
from training import publish
from training.config import to_json
from training.presets import DEFAULT, PRESETS
from training.run import checkpoint as checkpoints
from training.run.directory import RunDirectory

FULL = PRESETS[DEFAULT]  # the tests replace the presets by small ones
METRICS = (
    "stage",
    "step",
    "minutes",
    "discriminator_loss",
    "generator_loss",
    "real_score",
    "fake_score",
    "images_per_second",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete small run of `conv`."""
    run = tmp_path_factory.mktemp("runs") / "conv"
    result = train("--preset", "conv", "--out", run)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("conv: adversarial; seed 1, on cpu, ")
    assert result.stdout.splitlines()[-1] == f"Sample from it: mnistgen sample --model {run / 'export'} --out grid.png"
    assert "adversarial step 14/14: " in result.stdout
    return run


class TestRunDirectory:
    def test_preset(self, finished: Path) -> None:
        assert json.loads((finished / "preset.json").read_text())["name"] == "conv"

    def test_metrics(self, finished: Path) -> None:
        lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [2, 3, 4, 6, 7, 8, 9, 10, 12, 14]  # 7 steps an epoch
        for line in lines:
            evaluated = {"ratio"} if line["step"] in (7, 14) else set()
            assert set(line) == set(METRICS) | evaluated
            assert 0 < line["fake_score"] < 1
            assert line["images_per_second"] > 0

    def test_pictures(self, finished: Path) -> None:
        samples = sorted((finished / "samples").iterdir())
        assert [path.name for path in samples] == [f"0-{step:07d}.png" for step in (4, 8, 12, 14)]
        with Image.open(finished / "progress.gif") as progress:
            assert (progress.n_frames, progress.size) == (4, (320, 320))  # type: ignore[attr-defined]
        with Image.open(finished / "strip.png") as strip:
            assert strip.size == (320, 2 * 32)
        with Image.open(finished / "final.png") as final:
            assert final.size == (320, 320)
        with Image.open(finished / "losses.png") as losses:
            assert losses.size[0] > 500

    def test_keeps_last_two_checkpoints(self, finished: Path) -> None:
        assert sorted(path.stem for path in (finished / "checkpoints").iterdir()) == ["0-0000012", "0-0000014"]

    def test_export_can_be_sampled(self, finished: Path) -> None:
        generator = mnistgen.Generator(finished / "export")
        assert generator.card.steps in (7, 14)  # whichever has the better held-out ratio
        assert generator.sample(3, seed=1).shape == (3, 28, 28)


def test_publish_bundles_exported_model(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_script: RunScript
) -> None:
    monkeypatch.setattr(checkpoints, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(publish, "MODELS", tmp_path / "models")
    outcome = run_script("training/publish.py", finished / "generators" / "0-adversarial-best.safetensors")
    assert outcome.code == 0, outcome.err
    exported, bundled = (folder / "model.onnx" for folder in (finished / "export", tmp_path / "models" / "conv"))
    assert bundled.read_bytes() == exported.read_bytes()
    assert (tmp_path / "weights" / "conv.safetensors").stat().st_size > 0
    for name in ("preset.json", "metrics.jsonl", "losses.png"):
        assert (tmp_path / "weights" / "conv" / name).read_bytes() == (finished / name).read_bytes()


def test_resume_with_more_epochs(finished: Path, tmp_path: Path, train_here: RunScript) -> None:
    run = tmp_path / "conv"
    shutil.copytree(finished, run)
    assert train_here("--resume", run, "--epochs", 3).code == 0
    assert (run / "checkpoints" / "0-0000021.safetensors").exists()
    assert mnistgen.Generator(run / "export").card.steps in (7, 14, 21)


def test_two_processes_match_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("PRECISION", "float32")  # the tolerance below is for float32
    one, two = tmp_path / "one", tmp_path / "two"
    assert train("--preset", "mlp", "--out", one, "--tensorboard", "--epochs", 1, "--no-evaluate").returncode == 0
    result = train_in_two("--preset", "mlp", "--out", two, "--epochs", 1, "--no-evaluate")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith(
        "mlp: adversarial; seed 1, on cpu, float32, channels_last, 1 thread in 2"
    )
    assert len(result.stdout.splitlines()) < 20  # only the main process prints
    lines = [RunDirectory(run).read_metrics() for run in (one, two)]
    assert [line["step"] for line in lines[0]] == [line["step"] for line in lines[1]]
    for ours, theirs in zip(*lines, strict=True):
        for name in ("discriminator_loss", "generator_loss", "real_score", "fake_score"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-3), (ours["step"], name)
    events = EventAccumulator(str(one / "tensorboard")).Reload()
    logged = [(event.step, event.value) for event in events.Scalars("adversarial/ratio")]
    assert logged == [(line["step"], pytest.approx(line["ratio"])) for line in lines[0] if "ratio" in line]


def test_dry_run_prints_the_preset_and_writes_nothing(tmp_path: Path, train_here: RunScript) -> None:
    result = train_here("--preset", "mlp", "--epochs", 7, "--seed", 0, "--dry-run", "--out", tmp_path / "run")
    printed = json.loads(result.out)
    assert (printed["name"], printed["stages"][0]["epochs"], printed["seed"]) == ("mlp", 7, 0)
    assert list(tmp_path.iterdir()) == []


def test_quick_uses_fewer_steps(tmp_path: Path, train_here: RunScript, refused: Refused) -> None:
    printed = json.loads(train_here("--quick", "--seed", 3, "--dry-run").out)
    assert (printed["name"], printed["seed"]) == (DEFAULT, 3)
    full = to_json(FULL)
    assert [stage["kind"] for stage in printed["stages"]] == [stage["kind"] for stage in full["stages"]]
    assert all(
        quick["steps"] < long["steps"] for quick, long in zip(printed["stages"][1:], full["stages"][1:], strict=True)
    )
    for wrong in (("--preset", "mlp"), ("--epochs", 3), ("--resume", tmp_path)):
        assert "--quick starts a new run of digits; omit --preset, --epochs and --resume" in refused("--quick", *wrong)


class TestErrors:
    def test_invalid_preset_options(self, refused: Refused) -> None:
        assert "no preset 'dcgn': did you mean dcgan?" in refused("--preset", "dcgn")
        assert "epochs: input should be greater than or equal to 1, got 0" in refused("--preset", "mlp", "--epochs", 0)
        assert "device: expected one of auto, cpu, cuda, got 'tpu'" in refused("--preset", "mlp", "--device", "tpu")

    def test_existing_run_is_not_overwritten(self, finished: Path, refused: Refused) -> None:
        before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
        assert f"is not empty; --resume {finished} resumes it" in refused("--preset", "mlp", "--out", finished)
        assert "trains preset conv, not mlp" in refused("--resume", finished, "--preset", "mlp")
        assert "has seed 1, not 5" in refused("--resume", finished, "--seed", 5)
        assert before == {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}

    def test_corrupt_checkpoint(self, finished: Path, tmp_path: Path, refused: Refused) -> None:
        run = tmp_path / "conv"
        shutil.copytree(finished, run)
        path = run / "checkpoints" / "0-0000014.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        assert f"{path}: not a valid safetensors file" in refused("--resume", run)
        assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    def test_mismatched_options(self, finished: Path, tmp_path: Path, refused: Refused) -> None:
        run = tmp_path / "conv"
        shutil.copytree(finished, run)
        text = (run / "preset.json").read_text()
        (run / "preset.json").write_text(text.replace('"learning_rate": 0.0005', '"learning_rate": 0.5'))
        assert "trained with stages.0.learning_rate 0.0005, but the preset has 0.5" in refused("--resume", run)

    def test_fewer_epochs_than_completed(self, finished: Path, refused: Refused) -> None:
        before = (finished / "preset.json").read_bytes()
        assert "epochs: expected at least the 2 completed ones, got 1" in refused("--resume", finished, "--epochs", 1)
        assert (finished / "preset.json").read_bytes() == before

    def test_not_a_run_directory(self, tmp_path: Path, refused: Refused) -> None:
        assert f"{tmp_path} is no run directory: no preset.json; start a run with --out" in refused(
            "--resume", tmp_path
        )
