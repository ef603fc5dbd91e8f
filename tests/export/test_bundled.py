"""The bundled models are exports of the weights in this repository."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import mnistgen
from export import IR_VERSION
from export.to_onnx import convert_encoder, to_onnx
from export.verify import ExportedGenerator
from mnistgen._model import CONTROLLED, MODELS
from training.config import to_json
from training.model import WEIGHTS, load_model
from training.networks.generator import cyclic_labels, fixed_inputs, to_images
from training.presets import PRESETS

BUNDLED = Path(str(MODELS))


def weights(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}


def assert_equal_graphs(found: onnx.ModelProto, path: Path) -> None:
    """Check operators and weights; other fields depend on the versions of libraries."""
    expected = onnx.load(path)
    assert (found.ir_version, list(found.opset_import)) == (expected.ir_version, list(expected.opset_import))
    assert [node.op_type for node in found.graph.node] == [node.op_type for node in expected.graph.node]
    first, second = weights(found), weights(expected)
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert np.array_equal(values, second[name]), name


def test_bundled_models_have_weights_and_presets() -> None:
    assert set(mnistgen.models()) == {path.stem for path in WEIGHTS.glob("*.safetensors")} <= PRESETS.keys()


@pytest.mark.parametrize("name", mnistgen.models())
def test_bundled_models_draw_what_their_weights_do(name: str) -> None:
    model, card = load_model(WEIGHTS / f"{name}.safetensors"), mnistgen.card(name)
    # The evaluation interval does not change the weights.
    adversarial = replace(model.preset.adversarial, evaluate_every=PRESETS[name].adversarial.evaluate_every)
    assert replace(model.preset, adversarial=adversarial) == PRESETS[name]
    assert (card.preset, card.steps, card.data) == (to_json(model.preset), model.steps, model.data)
    assert (model.encoder is None) == (card.encoder is None)
    inputs = fixed_inputs(model.generator, 0, cyclic_labels(100, 10))
    images = mnistgen.Generator(name).decode(*(each.numpy() for each in inputs))
    differences = np.abs(images.astype(int) - to_images(model.generator, inputs))
    if model.preset.quantization:
        assert differences.mean() < 255 * 0.01
    else:
        assert differences.max() <= 2


@pytest.mark.parametrize("name", ["mlp-bn", "digits"])
def test_weights_reproduce_the_bundled_graphs(name: str) -> None:
    model = load_model(WEIGHTS / f"{name}.safetensors")
    generator = ExportedGenerator(model.generator, clip=model.preset.quantization is None)
    assert_equal_graphs(to_onnx(generator, model.preset.quantization, IR_VERSION), BUNDLED / name / "model.onnx")
    if model.encoder:
        encoder = onnx.load_model_from_string(convert_encoder(model.encoder, IR_VERSION).graph)
        assert_equal_graphs(encoder, path := BUNDLED / name / "encoder.onnx")
        assert path.stat().st_size <= 1_000_000


def test_bundled_attributes_are_those_of_the_digits() -> None:
    known = mnistgen.card("digits").attributes
    images, labels = mnistgen.generate_labelled(20_000, seed=2)
    found = mnistgen.measure(images)
    assert known
    for name in CONTROLLED:
        values = getattr(found, name)
        assert known[name]["mean"] == pytest.approx(values.mean(), rel=0.05, abs=0.01)
        assert known[name]["deviation"] == pytest.approx(values.std(), rel=0.05)
        for digit, (low, high) in enumerate(known[name]["ranges"]):
            inside = (values[labels == digit] >= low) & (values[labels == digit] <= high)
            assert 0.97 < inside.mean() <= 1
