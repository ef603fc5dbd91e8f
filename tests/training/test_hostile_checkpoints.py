"""Damaged and maliciously crafted checkpoints: every script reports them in one line."""

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Adam

from tests.conftest import contents
from tests.training.conftest import Refused, RunScript
from tests.training.small import FILES, SMALL
from training import publish
from training.config import Adversarial
from training.errors import CheckpointError
from training.networks import build_discriminator, build_generator
from training.run import checkpoint as checkpoints
from training.run import sealed
from training.run.checkpoint import Checkpoint, Header, generator_checkpoint
from training.run.directory import RunDirectory
from training.stages.state import TrainingState

PRESET = SMALL["mlp"]
Edit = Callable[[dict[str, Tensor], dict[str, Any]], object]  # edits tensors and header in place
WEIGHT = "generator.layers.0.weight"
HEADER = Header(
    preset=PRESET, steps=(3,), seconds=1.0, data_sha256=FILES[0].sha256, device="cpu", precision="float32", threads=1
)


@pytest.fixture(scope="module")
def generator() -> Checkpoint:
    """A generator file."""
    return generator_checkpoint(build_generator(PRESET.network, PRESET.latent_dim), HEADER)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """A training checkpoint, after a step with zero gradients."""
    stage = PRESET.stages[0]
    assert isinstance(stage, Adversarial)
    generator = build_generator(PRESET.network, PRESET.latent_dim)
    networks = {
        "generator": generator,
        "discriminator": build_discriminator(stage.discriminator),
        "ema": copy.deepcopy(generator),
    }
    optimizers = {name: Adam(networks[name].parameters(), fused=True) for name in ("generator", "discriminator")}
    for name, optimizer in optimizers.items():
        for parameter in networks[name].parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    return Checkpoint(HEADER, TrainingState(networks, optimizers).capture())


@pytest.fixture
def run(checkpoint: Checkpoint, generator: Checkpoint, tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.create(PRESET)
    run.save_checkpoint(checkpoint)
    checkpoints.write(run.generator_path(PRESET, 0), generator)
    return run


def resumed_from(run: RunDirectory) -> Path:
    return run.checkpoints / "0-0000003.safetensors"


def header_of(checkpoint: Checkpoint, path: Path) -> dict[str, Any]:
    """The header of a checkpoint as JSON."""
    checkpoints.write(path, checkpoint)
    header: dict[str, Any] = json.loads(sealed.read(path)[1])
    return header


@pytest.fixture
def export_refuses(run_script: RunScript, tmp_path: Path) -> Callable[[Path], str]:
    def refuse(path: Path) -> str:
        outcome = run_script("export/export.py", path, "--out", tmp_path / "out")
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1), outcome
        assert outcome.err.startswith("export.py: ")
        assert not (tmp_path / "out").exists()
        return outcome.err

    return refuse


def mutated(content: bytes, source: random.Random) -> bytes:
    """Truncate, change, extend or replace the content at random."""
    offset = source.randrange(len(content))
    return source.choice(
        [
            content[:offset],
            content[:offset] + bytes([content[offset] ^ 1 << source.randrange(8)]) + content[offset + 1 :],
            content[:offset] + bytes(source.randrange(1, 9)) + content[offset:],
            source.choice([0, 2, len(content), 10**8, 2**63]).to_bytes(8, "little") + content[8:],
            source.randbytes(source.choice([0, 7, 9, 5000])),
        ]
    )


def test_random_mutations_raise(run: RunDirectory, export_refuses: Callable[[Path], str], refused: Refused) -> None:
    source = random.Random(18)  # noqa: S311
    exported, path = run.generator_path(PRESET, 0), resumed_from(run)
    contents_before = exported.read_bytes(), path.read_bytes()
    for _ in range(12):
        for file, content in zip((exported, path), contents_before, strict=True):
            file.write_bytes(mutated(content, source))
        assert export_refuses(exported).startswith(f"export.py: {exported}: ")
        assert refused("--resume", run.path).startswith(f"train.py: {path}: ")


def test_changed_header_is_detected(run: RunDirectory) -> None:
    path = run.generator_path(PRESET, 0)
    content = path.read_bytes()
    changed = content.replace(rb"\"steps\":[3]", rb"\"steps\":[7]")
    assert changed != content
    path.write_bytes(changed)
    with pytest.raises(CheckpointError, match="tensors or header were modified"):
        checkpoints.read(path)


HOSTILE: dict[str, Edit] = {
    f"{WEIGHT}: expected (16, 100), got none": lambda tensors, header: tensors.pop(WEIGHT),
    f"{WEIGHT}: expected (16, 100), got (1, 100)": lambda tensors, header: tensors.update({WEIGHT: torch.ones(1, 100)}),
    "generator.\\n: expected none, got (3,)": lambda tensors, header: tensors.update({"generator.\n": torch.ones(3)}),
    "ema.layers.0.bias: expected (16,), got none": lambda tensors, header: tensors.update({"ema.x": torch.ones(3)}),
    "the weights: expected finite values in the range of float16": lambda tensors, header: tensors.update(
        {WEIGHT: torch.full(tensors[WEIGHT].shape, 1e9)}
    ),
    "network: cannot be built: ": lambda tensors, header: header["preset"]["network"].update(
        options=header["preset"]["network"]["options"] | {"widths": [1] * 10_000}
    ),
    "network: expected at most 2,147,483,648 values": lambda tensors, header: header["preset"].update(latent_dim=10**9),
    "batch_norm_samples: input should be less than or equal to 1000000": lambda tensors, header: header["preset"][
        "stages"
    ][0].update(batch_norm_samples=10**12),
    "preset: input should be an object": lambda tensors, header: header.update(preset=[]),
    "steps.0: input should be greater than or equal to 0, got -1": lambda tensors, header: header.update(steps=[-1]),
    "expected at most 1 stages, got 2": lambda tensors, header: header.update(steps=[3, 4]),
    "threads: input should be less than or equal to 1024": lambda tensors, header: header.update(threads=10**9),
    "device: field required": lambda tensors, header: header.pop("device"),
    "(ValueError: format is not 2)": lambda tensors, header: header.update(format=1),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_crafted_checkpoint_raises(
    message: str, generator: Checkpoint, export_refuses: Callable[[Path], str], tmp_path: Path
) -> None:
    tensors = {name: value.clone() for name, value in generator.tensors.items()}
    header = header_of(generator, tmp_path / "valid.safetensors")
    HOSTILE[message](tensors, header)
    sealed.write(path := tmp_path / "crafted.safetensors", tensors, json.dumps(header))
    error = export_refuses(path)
    assert message in error
    assert len(error) < 500


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("generator_optimizer.0.exp_avg", torch.ones(1, 100), "0.exp_avg: expected (16, 100), got (1, 100)"),
        ("generator_optimizer.0.exp_avg_sq", None, "does not fit preset mlp: KeyError: '0.exp_avg_sq'"),
        ("generator_optimizer.0.step", None, "does not fit preset mlp: KeyError: '0.step'"),
        ("random.cpu", torch.ones(3), "does not fit preset mlp: TypeError: "),
        ("random.cpu", torch.ones(5056, dtype=torch.uint8), "does not fit preset mlp: RuntimeError: "),
        (
            "discriminator.layers.0.weight",
            torch.ones(3),
            "discriminator.layers.0.weight: expected (512, 784), got (3,)",
        ),
    ],
)
def test_mismatched_state_raises(
    name: str,
    value: Tensor | None,
    words: str,
    checkpoint: Checkpoint,
    run: RunDirectory,
    train_here: RunScript,
) -> None:
    tensors = {key: tensor for key, tensor in checkpoint.tensors.items() if key != name}
    tensors |= {} if value is None else {name: value}
    checkpoints.write(resumed_from(run), Checkpoint(checkpoint.header, tensors))
    outcome = train_here("--resume", run.path)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1), outcome.err
    assert outcome.err.startswith("train.py: ")
    assert words in outcome.err


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_not_a_regular_file(
    make: Callable[[Path], Any], run: RunDirectory, refused: Refused, run_script: RunScript, tmp_path: Path
) -> None:
    make(path := run.checkpoints / "0-0000009.safetensors")
    assert f"{path}: cannot be read (" in refused("--resume", run.path)
    assert run_script("export/export.py", path, "--out", tmp_path / "out").err.startswith(f"export.py: {path}: neither")
    assert run_script("training/publish.py", path).err.startswith(f"publish.py: {path}: cannot be read (")


class TestPublish:
    @pytest.fixture(autouse=True)
    def folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folders = tmp_path / "folders"
        monkeypatch.setattr(checkpoints, "WEIGHTS", folders / "weights")
        monkeypatch.setattr(publish, "MODELS", folders / "models")
        return folders

    def test_preset_name_with_path_traversal(
        self, generator: Checkpoint, run_script: RunScript, tmp_path: Path, folders: Path
    ) -> None:
        header = header_of(generator, tmp_path / "valid.safetensors")
        header["preset"]["name"] = "../../elsewhere"
        sealed.write(path := tmp_path / "crafted.safetensors", generator.tensors, json.dumps(header))
        before = contents(tmp_path)
        outcome = run_script("training/publish.py", path)
        message = f"publish.py: {path}: expected a preset of training/presets.py, got '../../elsewhere'\n"
        assert (outcome.code, outcome.err) == (1, message)
        assert contents(tmp_path) == before

    def test_writes_weights_and_model(self, run: RunDirectory, run_script: RunScript, folders: Path) -> None:
        outcome = run_script("training/publish.py", run.generator_path(PRESET, 0))
        assert outcome.code == 0, outcome.err
        assert sorted(contents(folders)) == [
            "models/mlp/card.json",
            "models/mlp/model.onnx",
            "weights/mlp.safetensors",
            "weights/mlp/preset.json",
        ]
