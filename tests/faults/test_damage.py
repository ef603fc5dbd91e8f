"""Damaged files: a model directory or a picture is read, or refused with an error of one line."""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import mnistgen
from mnistgen._model import MODELS

SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def damages(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with some bytes changed, removed or repeated, mostly near the beginning."""
    damaged = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(damaged) - 1) | st.integers(0, min(400, len(damaged) - 1)))
        match draw(st.sampled_from(["change", "cut", "remove", "repeat"])):
            case "change":
                damaged[place] = draw(st.integers(0, 255))
            case "cut":
                del damaged[max(1, place) :]
            case "remove":
                del damaged[place : place + draw(st.integers(1, 50))]
            case "repeat":
                damaged[place:place] = damaged[place : place + draw(st.integers(1, 50))]
        if not damaged:
            return b""
    return bytes(damaged)


def refused(error: mnistgen.MnistgenError) -> None:
    assert str(error).isprintable()
    assert 10 < len(str(error)) <= 1000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the default model."""
    return Path(shutil.copytree(str(MODELS / "digits"), tmp_path / "copied"))


def use(model: Path) -> None:
    """Call everything that reads the model's files."""
    try:
        generator = mnistgen.Generator(model, device="cpu", threads=1)
        images = generator.sample(2, seed=1, slant=0.1)
        generator.encode(images)
        assert images.shape == (2, 28, 28)
    except (mnistgen.ModelError, mnistgen.InputError) as error:
        refused(error)


@SETTINGS
@given(data=st.data())
def test_card_with_other_values(copied: Path, data: st.DataObject) -> None:
    path = copied / "card.json"
    original = path.read_text()
    card: dict[str, Any] = json.loads(original)
    part = card
    while True:
        name = data.draw(st.sampled_from(sorted(part)))
        if not isinstance(part[name], dict) or not part[name] or data.draw(st.booleans()):
            break
        part = part[name]
    if data.draw(st.booleans()):
        part[name] = data.draw(JSON)
    else:
        del part[name]
    path.write_text(json.dumps(card))
    use(copied)
    path.write_text(original)


@SETTINGS
@given(content=damages((MODELS / "digits" / "card.json").read_bytes()))
def test_damaged_card(copied: Path, content: bytes) -> None:
    (copied / "card.json").write_bytes(content)
    use(copied)


@pytest.mark.parametrize("name", ["attributes.onnx", "encoder.onnx", "model.onnx"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_damaged_graph_with_a_matching_card(copied: Path, name: str, data: st.DataObject) -> None:
    """Its SHA-256 is that of the card, so that onnxruntime sees it. Always the same damages: others may crash it."""
    content = data.draw(damages((MODELS / "digits" / name).read_bytes()))
    (copied / name).write_bytes(content)
    card = json.loads((MODELS / "digits" / "card.json").read_text())
    part = card if name == "model.onnx" else card[name.removesuffix(".onnx")]
    part["sha256"] = hashlib.sha256(content).hexdigest()
    (copied / "card.json").write_text(json.dumps(card))
    use(copied)


def pictures() -> dict[str, bytes]:
    """A page of digits in several formats."""
    page = Image.fromarray(255 - np.pad(mnistgen.number("274", seed=3), 10)).resize((312, 144))
    contents = {}
    for name in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        file = io.BytesIO()
        page.save(file, name)
        contents[name] = file.getvalue()
    return contents


@pytest.mark.parametrize(("name", "content"), pictures().items())
@SETTINGS
@given(data=st.data())
def test_damaged_picture(tmp_path: Path, name: str, content: bytes, data: st.DataObject) -> None:
    path = tmp_path / f"page.{name.lower()}"
    path.write_bytes(data.draw(damages(content)))
    try:
        images = mnistgen.read_digits(path).images
    except mnistgen.InputError as error:
        refused(error)
    else:
        assert images.shape[1:] == (28, 28)
