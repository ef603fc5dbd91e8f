"""Model directories: lookup by name or path, and validation."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._model import find, names
from mnistgen._latents import normal_quantiles
from tests.conftest import write_model


def model_error(model: str | Path) -> str:
    with pytest.raises((mnistgen.InputError, mnistgen.ModelError)) as error:
        find(model)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_card_round_trip(tmp_path: Path) -> None:
    card = find(write_model(tmp_path, quality={"figure": 1.0}, seed=5)).card
    assert (card.seed, card.quality, card.conditional) == (5, {"figure": 1.0}, True)
    card.write(tmp_path)
    assert find(tmp_path).card == card


def test_unknown_name_suggests_similar_one() -> None:
    message = model_error("dcgann")
    assert message.startswith("no model 'dcgann': did you mean dcgan")
    assert "mlp-bn" in message


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".hidden",
        "../dcgan",
        "/nowhere/model",
        "no such",
        "a\0b",
        "/a\0b",
        "\udcff",
        "\ud800/",
        "a" * 5000,
        "/a" * 3000,
    ],
)
def test_odd_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(model_error(name)) < 500


@pytest.mark.parametrize("model", [None, 3, b"digits", ["digits"], np.array(["digits", "mlp"])])
def test_invalid_types(model: Any) -> None:
    for call in (
        mnistgen.Generator,
        find,
        lambda it: mnistgen.generate(model=it),
        lambda it: mnistgen.number("7", model=it),
    ):
        with pytest.raises(mnistgen.InputError, match="model: expected a name or a path, got"):
            call(model)


@pytest.mark.skipif(sys.platform == "win32", reason="which removes no folder that is in use")
def test_removed_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert model_error(".") == ".: cannot be found (No such file or directory)"


def test_bundled_name_takes_precedence_over_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "mlp")
    assert find("mlp").card.latent_dim == 100
    assert find("./mlp").card.name == "small"


def test_missing_card(tmp_path: Path) -> None:
    (write_model(tmp_path) / "card.json").unlink()
    assert model_error(tmp_path).startswith(f"{tmp_path / 'card.json'}: not found")


def test_missing_model(tmp_path: Path) -> None:
    (write_model(tmp_path) / "model.onnx").unlink()
    assert model_error(tmp_path).startswith(f"{tmp_path / 'model.onnx'}: not found")


def test_wrong_checksum(tmp_path: Path) -> None:
    with (write_model(tmp_path) / "model.onnx").open("ab") as file:
        file.write(b"\0")
    assert f"{tmp_path / 'model.onnx'}: expected SHA-256 " in model_error(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "expected schema 1, got 99"),
        ({"schema": True}, "schema: expected a whole number, 1 to 1, got True"),
        ({"latent_dim": "100"}, "latent_dim: expected a whole number, 1 to 65536, got '100'"),
        ({"latent_dim": True}, "latent_dim: expected a whole number, 1 to 65536, got True"),
        ({"latent_dim": 10**9}, "latent_dim: expected a whole number, 1 to 65536, got 1000000000"),
        ({"latent_dim": 0}, "latent_dim: expected a whole number, 1 to 65536, got 0"),
        ({"parameters": 10**400}, "parameters: expected a whole number, 0 to 18446744073709551616, got 1000"),
        ({"multiply_adds": float("nan")}, "multiply_adds: expected a whole number"),
        ({"conditional": 1}, "conditional: expected true or false, got 1"),
        ({"quality": []}, "quality: expected an object or null, got []"),
        ({"sha256": "x"}, "sha256: expected 64 hexadecimal digits, got 'x'"),
        ({"name": "a\nb"}, "name: expected 1 to 100 printable characters, got 'a\\nb'"),
        ({"name": "\x1b[31m"}, "name: expected 1 to 100 printable characters, got '\\x1b[31m'"),
        ({"name": "a" * 101}, "name: expected 1 to 100 printable characters, got 'aaa"),
        ({"name": ""}, "name: expected 1 to 100 printable characters, got ''"),
        ({"colour": "blue"}, "has unknown fields: colour"),
        ({"name": ...}, "lacks name"),
    ],
)
def test_invalid_card_values(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_model(tmp_path) / "card.json"
    fields = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}))
    assert model_error(tmp_path).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON (Expecting value"),
        (b"{", "cannot be read as JSON (Expecting property"),
        (b"[]", "expected a JSON object, got list"),
        (b"null", "expected a JSON object, got NoneType"),
        (b"\xff", "cannot be read as JSON ('utf-8' codec can't decode"),
        (b'{"name": "\xc3"}', "cannot be read as JSON ('utf-8' codec can't decode"),
        (b"[" * 100_000, "cannot be read as JSON (maximum recursion depth"),
        (b'{"schema": %b}' % (b"9" * 5000), "cannot be read as JSON (Exceeds the limit"),
        (b'{"schema": "%b"}' % (b"x" * 5000), "expected schema 1, got 'xxx"),
        (bytes(2**20 + 1), "cannot be read (larger than 1,048,576 bytes)"),
    ],
    ids=range(10),
)
def test_invalid_card_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = write_model(tmp_path) / "card.json"
    path.write_bytes(content)
    assert model_error(tmp_path).startswith(f"{path}: {message}")
    assert len(model_error(tmp_path)) < 500


def test_deeply_nested_card(tmp_path: Path) -> None:
    preset: Any = {}
    for _ in range(300):
        preset = {"inner": [preset]}
    write_model(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text()) | {"preset": preset}
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert model_error(tmp_path).endswith("expected at most 20 levels of nesting, got more")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_card_is_a_fifo(tmp_path: Path) -> None:
    path = write_model(tmp_path) / "card.json"
    path.unlink()
    os.mkfifo(path)
    assert model_error(tmp_path) == f"{path}: cannot be read (not a regular file)"


@pytest.mark.parametrize("name", names())
def test_bundled_models_are_valid(name: str) -> None:
    assert find(name).card.name == name


def test_damaged_quantile_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    normal_quantiles.cache_clear()
    for content in (b"", b"\x93NUMPY", None):
        path = tmp_path / "normal_quantiles.npy"
        path.unlink() if content is None else path.write_bytes(content)
        monkeypatch.setattr("mnistgen._latents.UPPER_QUANTILES", path)
        with pytest.raises(mnistgen.ModelError, match=r"normal_quantiles\.npy: cannot be read .*; reinstall mnistgen"):
            normal_quantiles()
