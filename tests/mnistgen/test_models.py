"""Model directories and their cards: lookup, validation, tables and `mnistgen models` and `info`."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import mnistgen
from mnistgen._model import MODELS
from tests.conftest import RunCli, write_model


def model_error(model: str | Path) -> str:
    with pytest.raises((mnistgen.InputError, mnistgen.ModelError)) as error:
        mnistgen.card(model)
    assert "\n" not in str(error.value)
    return str(error.value)


class TestLookup:
    def test_bundled_models(self) -> None:
        assert mnistgen.DEFAULT_MODEL in mnistgen.models()
        for name, card in mnistgen.models().items():
            assert mnistgen.card(name) == card  # and the model has its SHA-256
            assert card.name == name

    def test_bundled_name_takes_precedence_over_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        write_model(tmp_path / "mlp")
        assert mnistgen.card("mlp").name == "mlp"
        assert mnistgen.card("./mlp").name == mnistgen.card(Path("mlp")).name == "small"
        generator = mnistgen.Generator("./mlp")
        monkeypatch.chdir("/")
        assert mnistgen.card(generator.model) == generator.card

    def test_unknown_names(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert model_error("dcgann").startswith("no model 'dcgann': did you mean dcgan")
        for name in ("no such", ".hidden", "../dcgan", "/nowhere/model", "\udcff"):
            assert "conv, dcgan, digits, mlp" in model_error(name)

    @pytest.mark.parametrize("model", [None, 3, b"digits"])
    @pytest.mark.parametrize("call", [mnistgen.Generator, mnistgen.card, lambda model: mnistgen.generate(model=model)])
    def test_invalid_types(self, call: Callable[[Any], object], model: Any) -> None:
        with pytest.raises(mnistgen.InputError, match="model: expected a name or a path, got"):
            call(model)


class TestDirectories:
    def test_card_round_trip(self, tmp_path: Path) -> None:
        card = mnistgen.card(write_model(tmp_path, quality={"figure": 1.0}, seed=5))
        assert (card.seed, card.quality, card.conditional) == (5, {"figure": 1.0}, True)
        card.write(tmp_path)
        assert mnistgen.card(tmp_path) == card

    @pytest.mark.parametrize("name", ["card.json", "model.onnx"])
    def test_missing_files(self, tmp_path: Path, name: str) -> None:
        (write_model(tmp_path) / name).unlink()
        assert model_error(tmp_path).startswith(f"{tmp_path / name}: not found; a model directory holds")

    def test_wrong_checksum(self, tmp_path: Path) -> None:
        with (write_model(tmp_path) / "model.onnx").open("ab") as file:
            file.write(b"\0")
        assert f"{tmp_path / 'model.onnx'}: expected SHA-256 " in model_error(tmp_path)
        with pytest.raises(mnistgen.ModelError, match="expected SHA-256"):
            mnistgen.Generator(tmp_path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"schema": 99}, "expected schema 1, got 99"),
            ({"latent_dim": "100"}, "latent_dim: expected int, got '100'"),
            ({"latent_dim": True}, "latent_dim: expected int, got True"),
            ({"latent_dim": 10**9}, "latent_dim: expected 1 to 65536, got 1000000000"),
            ({"latent_dim": 0}, "latent_dim: expected 1 to 65536, got 0"),
            ({"classes": 1}, "classes: expected list or NoneType, got 1"),
            ({"classes": ["bag"]}, "classes: expected 2 or more distinct names, got ['bag']"),
            ({"classes": ["bag", "bag"]}, "classes: expected 2 or more distinct names, got ['bag', 'bag']"),
            ({"classes": ["bag", ""]}, "classes: expected 2 or more distinct names, got ['bag', '']"),
            ({"classes": ["bag", 2]}, "classes: expected 2 or more distinct names, got ['bag', 2]"),
            ({"quality": []}, "quality: expected dict or NoneType, got []"),
            ({"colour": "blue"}, "has unknown fields: colour"),
            ({"name": ...}, "lacks name"),
        ],
    )
    def test_invalid_card_values(self, tmp_path: Path, change: dict[str, Any], message: str) -> None:
        path = write_model(tmp_path) / "card.json"
        fields = json.loads(path.read_text()) | change
        path.write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}))
        assert model_error(tmp_path).startswith(f"{path}: {message}")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "cannot be read as JSON (Expecting value"),
            (b"\xff", "cannot be read as JSON ('utf-8' codec can't decode"),
            (b"[]", "expected a JSON object, got []"),
        ],
    )
    def test_invalid_card_files(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = write_model(tmp_path) / "card.json"
        path.write_bytes(content)
        assert model_error(tmp_path).startswith(f"{path}: {message}")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of a model with all its graphs, to damage."""
    return Path(shutil.copytree(str(MODELS / "digits"), tmp_path / "copied"))


class TestGraphsBesideTheModel:
    @pytest.mark.parametrize("content", [None, b"no graph", (MODELS / "digits" / "model.onnx").read_bytes()])
    @pytest.mark.parametrize(
        ("part", "call"),
        [
            ("attributes", lambda generator: generator.sample(3, slant=0.1)),
            ("encoder", lambda generator: generator.encode(generator.sample(3))),
        ],
    )
    def test_damaged(self, copied: Path, part: str, call: Callable[[Any], object], content: bytes | None) -> None:
        path, card = copied / f"{part}.onnx", json.loads((copied / "card.json").read_text())
        generator = mnistgen.Generator(copied)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
            with pytest.raises(mnistgen.ModelError, match=rf"{part}\.onnx: expected SHA-256 "):
                call(generator)
            card[part]["sha256"] = hashlib.sha256(content).hexdigest()
            (copied / "card.json").write_text(json.dumps(card))
        with pytest.raises(mnistgen.ModelError, match=rf"{part}\.onnx: "):
            call(mnistgen.Generator(copied))


class TestCommands:
    def test_models(self, run_cli: RunCli) -> None:
        outcome = run_cli("models")
        assert outcome.code == 0
        assert [line.split()[0] for line in outcome.out.splitlines()] == list(mnistgen.models())
        cards = json.loads(run_cli("models", "--json").out)
        assert cards == {name: card.to_dict() for name, card in mnistgen.models().items()}

    @pytest.mark.parametrize("model", mnistgen.models())
    def test_info_of_bundled_models(self, run_cli: RunCli, model: str) -> None:
        outcome = run_cli("info", model)
        assert (outcome.code, outcome.err) == (0, "")
        lines = outcome.out.splitlines()
        names = [line.split()[0] for line in lines]
        assert names[:6] == ["name", "summary", "classes", "latent_dim", "parameters", "licence"]
        assert {"ratio", "label_accuracy"} & set(names)
        assert mnistgen.card(model).summary in lines[1]

    def test_info_of_a_directory(self, run_cli: RunCli, tmp_path: Path) -> None:
        model = write_model(tmp_path, summary="\x1b]0;title\x07\nsecond")
        lines = run_cli("info", model).out.splitlines()
        assert lines[1] == "summary     \\x1b]0;title\\x07\\nsecond"
        assert lines[-1] == "quality     not measured"
        card = json.loads(run_cli("info", model, "--json").out)
        assert card == json.loads((model / "card.json").read_text())

    @pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "±"), ("ascii", "+-")])
    def test_figures_with_intervals_and_baselines(self, tmp_path: Path, encoding: str, sign: str) -> None:
        ratio = {"mean": 1.234, "interval": 0.05, "real_digits": 1.0, "float32": 1.2}
        model = write_model(tmp_path, quality={"figures": {"ratio": ratio}})
        command = [sys.executable, "-m", "mnistgen", "info", str(model)]
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        out = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode(encoding)
        assert out.splitlines()[-1] == f"ratio       1.234 {sign} 0.05  (real digits: 1, float32: 1.2)"


class TestInNotebooks:
    def test_short_representations(self) -> None:
        models = mnistgen.models()
        assert repr(models["dcgan"]).startswith("ModelCard('dcgan': deep convolutional GAN: ")
        assert len(repr(models)) < 1_500

    def test_tables(self, tmp_path: Path) -> None:
        table = ElementTree.fromstring(mnistgen.models()._repr_html_())  # noqa: S314 - our own
        assert [row[0].text for row in table] == ["model", *mnistgen.models()]
        card = ElementTree.fromstring(mnistgen.card()._repr_html_())  # noqa: S314
        assert {"parameters", "ratio", "label accuracy"} <= {row[0].text for row in card}
        other = mnistgen.card(write_model(tmp_path, name="<b>", summary="<script>"))
        assert "<b>" not in other._repr_html_()
        assert "<script>" not in other._repr_html_()
