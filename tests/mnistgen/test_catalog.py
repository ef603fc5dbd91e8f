"""Model directories: found by name or path, and refused when anything is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

import mnistgen
from mnistgen.catalog import find
from tests.conftest import write_model


def model_error(model: str | Path) -> str:
    with pytest.raises(mnistgen.ModelError) as error:
        find(model)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_cards_survive_writing_and_reading(tmp_path: Path) -> None:
    card = find(write_model(tmp_path, quality={"figure": 1.0}, seed=5)).card
    assert (card.seed, card.quality, card.conditional) == (5, {"figure": 1.0}, True)
    card.write(tmp_path)
    assert find(tmp_path).card == card


def test_unknown_names_get_close_ones() -> None:
    message = model_error("dcgann")
    assert message.startswith("no model 'dcgann': did you mean dcgan")
    assert "mlp-bn" in message


@pytest.mark.parametrize("name", ["", ".hidden", "../dcgan", "/nowhere/model", "no such"])
def test_odd_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model_error(name)


def test_a_bundled_name_wins_over_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "mlp")
    assert find("mlp").card.latent_dim == 100
    assert find("./mlp").card.name == "small"


def test_without_a_card(tmp_path: Path) -> None:
    (write_model(tmp_path) / "card.json").unlink()
    assert model_error(tmp_path).startswith(f"{tmp_path / 'card.json'}: not found")


def test_without_a_model(tmp_path: Path) -> None:
    (write_model(tmp_path) / "model.onnx").unlink()
    assert model_error(tmp_path).startswith(f"{tmp_path / 'model.onnx'}: not found")


def test_with_another_checksum(tmp_path: Path) -> None:
    with (write_model(tmp_path) / "model.onnx").open("ab") as file:
        file.write(b"\0")
    assert f"{tmp_path / 'model.onnx'}: expected SHA-256 " in model_error(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "expected schema 1, got 99"),
        ({"latent_dim": "100"}, "latent_dim: expected int, got '100'"),
        ({"latent_dim": True}, "latent_dim: expected int, got True"),
        ({"conditional": 1}, "conditional: expected bool, got 1"),
        ({"quality": []}, "quality: expected dict, got []"),
        ({"colour": "blue"}, "has unknown fields: colour"),
        ({"name": ...}, "lacks name"),
    ],
)
def test_cards_are_checked(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_model(tmp_path) / "card.json"
    fields = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}))
    assert model_error(tmp_path).startswith(f"{path}: {message}")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\udcff"])
def test_cards_that_are_no_json(tmp_path: Path, text: str) -> None:
    path = write_model(tmp_path) / "card.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert model_error(tmp_path).startswith(f"{path}: ")
