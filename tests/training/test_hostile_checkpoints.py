"""Checkpoints that were damaged, or made to do damage: every script refuses them in one line."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conftest import contents
from tests.training.conftest import Refused, RunScript
from tests.training.small import SMALL
from training import publish, sealed
from training.data import Digits
from training.errors import CheckpointError
from training.players import build_players
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Header, capture
from training.run.device import Compute
from training.run.directory import RunDirectory

PRESET = SMALL["mlp"]
Edit = Callable[[dict[str, Tensor], dict[str, Any]], object]  # of tensors and header
WEIGHT, AVERAGE = "generator.layers.0.weight", "average.layers.0.weight"  # which is exported


@pytest.fixture(scope="module")
def checkpoint(digits: Digits, compute: Compute) -> checkpoints.Checkpoint:
    """Of a run, after three steps that changed nothing."""
    players = build_players(PRESET, compute)
    for name, network in players.networks.items():
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        if name in players.optimizers:
            players.optimizers[name].step()
    return capture(players, Header.of(PRESET, 3, digits, compute))


@pytest.fixture
def run(checkpoint: checkpoints.Checkpoint, tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.create(PRESET)
    run.save_checkpoint(checkpoint)
    return run


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
    """One of the things that happen to files."""
    place = source.randrange(len(content))
    return source.choice(
        [
            content[:place],
            content[:place] + bytes([content[place] ^ 1 << source.randrange(8)]) + content[place + 1 :],
            content[:place] + bytes(source.randrange(1, 9)) + content[place:],
            source.choice([0, 2, len(content), 10**8, 2**63]).to_bytes(8, "little") + content[8:],
            source.randbytes(source.choice([0, 7, 9, 5000])),
        ]
    )


def test_a_dozen_mutations(run: RunDirectory, export_refuses: Callable[[Path], str], refused: Refused) -> None:
    path = run.last_checkpoint()
    content, source = path.read_bytes(), random.Random(18)  # noqa: S311
    for _ in range(12):
        path.write_bytes(mutated(content, source))
        assert export_refuses(path).startswith(f"export.py: {path}: ")
        assert refused("--resume", run.path).startswith(f"train.py: {path}: ")


def test_every_changed_character_of_the_header_is_noticed(run: RunDirectory) -> None:
    path = run.last_checkpoint()
    content = path.read_bytes()
    start = content.index(rb"\"step\": 3")
    path.write_bytes(content.replace(rb"\"step\": 3", rb"\"step\": 7"))
    assert path.read_bytes()[:start] == content[:start]
    with pytest.raises(CheckpointError, match="tensors and header are not those that were written"):
        checkpoints.read(path)


HOSTILE: dict[str, Edit] = {
    f"{WEIGHT}: expected (16, 100), got none": lambda tensors, header: tensors.pop(WEIGHT),
    f"{WEIGHT}: expected (16, 100), got (1, 100)": lambda tensors, header: tensors.update({WEIGHT: torch.ones(1, 100)}),
    "generator.\\n: expected none, got (3,)": lambda tensors, header: tensors.update({"generator.\n": torch.ones(3)}),
    "average.x: expected none, got (3,)": lambda tensors, header: tensors.update({"average.x": torch.ones(3)}),
    "the weights: expected numbers that float16 can hold": lambda tensors, header: tensors[AVERAGE].fill_(1e9),
    "networks: expected those of mixture, but ": lambda tensors, header: header["preset"].update(
        architecture="mixture",
        latent_dim=10**10,
        generator=header["preset"]["generator"] | {"members": 10**9, "architecture": "mlp"},
    ),
    "networks: expected at most 2,147,483,648 values": lambda tensors, header: header["preset"].update(
        latent_dim=10**9
    ),
    "batch_norm_samples: expected 0 to 1000000": lambda tensors, header: header["preset"].update(
        batch_norm_samples=10**12
    ),
    "expected the fields of a preset: 'list' object has no attribute": lambda tensors, header: header.update(preset=[]),
    "(ValueError: step is -1)": lambda tensors, header: header.update(step=-1),
    "(ValueError: threads is 1000000000)": lambda tensors, header: header.update(threads=10**9),
    "(KeyError: 'device')": lambda tensors, header: header.pop("device"),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_made_to_do_damage(
    message: str, checkpoint: checkpoints.Checkpoint, export_refuses: Callable[[Path], str], tmp_path: Path
) -> None:
    tensors = {name: value.clone() for name, value in checkpoint.tensors.items()}
    header = json.loads(checkpoint.header.to_json())
    HOSTILE[message](tensors, header)
    sealed.write(path := tmp_path / "hostile.safetensors", tensors, json.dumps(header))
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
def test_a_state_that_does_not_fit(
    name: str,
    value: Tensor | None,
    words: str,
    checkpoint: checkpoints.Checkpoint,
    run: RunDirectory,
    train_here: RunScript,
) -> None:
    tensors = {key: tensor for key, tensor in checkpoint.tensors.items() if key != name}
    tensors |= {} if value is None else {name: value}
    sealed.write(run.last_checkpoint(), tensors, checkpoint.header.to_json())
    outcome = train_here("--resume", run.path)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert outcome.err.startswith("train.py: ")
    assert words in outcome.err


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file(
    make: Callable[[Path], Any], run: RunDirectory, refused: Refused, run_script: RunScript, tmp_path: Path
) -> None:
    make(path := run.checkpoint_path(9))
    assert f"{path}: cannot be read (" in refused("--resume", run.path)
    assert run_script("export/export.py", path, "--out", tmp_path / "out").err.startswith(f"export.py: {path}: neither")
    assert run_script("training/publish.py", path).err.startswith(f"publish.py: {path}: cannot be read (")


class TestPublish:
    @pytest.fixture(autouse=True)
    def places(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        places = tmp_path / "places"
        monkeypatch.setattr(checkpoints, "WEIGHTS", places / "weights")
        monkeypatch.setattr(publish, "MODELS", places / "models")
        return places

    def test_a_name_that_leads_elsewhere(
        self, checkpoint: checkpoints.Checkpoint, run_script: RunScript, tmp_path: Path, places: Path
    ) -> None:
        header = json.loads(checkpoint.header.to_json())
        header["preset"]["name"] = "../../elsewhere"
        sealed.write(path := tmp_path / "foreign.safetensors", checkpoint.tensors, json.dumps(header))
        before = contents(tmp_path)
        outcome = run_script("training/publish.py", path)
        message = f"publish.py: {path}: expected a preset of training/presets.py, got '../../elsewhere'\n"
        assert (outcome.code, outcome.err) == (1, message)
        assert contents(tmp_path) == before

    def test_weights_and_model_are_written(self, run: RunDirectory, run_script: RunScript, places: Path) -> None:
        outcome = run_script("training/publish.py", run.last_checkpoint())
        assert outcome.code == 0, outcome.err
        assert sorted(contents(places)) == ["models/mlp/card.json", "models/mlp/model.onnx", "weights/mlp.safetensors"]
