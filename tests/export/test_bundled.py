"""The bundled models are exports of the weights in this repository."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from numpy.typing import NDArray

import mnistgen
from export.build import build
from mnistgen._model import CONTROLLED, MODELS
from training.config import Adversarial, Preset, to_json
from training.presets import PRESETS
from training.run import checkpoint as checkpoints
from training.run.checkpoint import WEIGHTS

BUNDLED = Path(str(MODELS))


def test_bundled_models_have_weights_and_presets() -> None:
    assert set(mnistgen.models()) == {path.stem for path in WEIGHTS.glob("*.safetensors")} <= PRESETS.keys()


def test_graphs_declare_the_lowest_ir_version() -> None:
    graphs = map(onnx.load, BUNDLED.glob("*/*.onnx"))
    found = {(graph.ir_version, onnx.helper.find_min_ir_version_for(graph.opset_import)) for graph in graphs}
    assert found == {(8, 8)}


@pytest.mark.parametrize("name", mnistgen.models())
def test_export_reproduces_bundled_model(name: str, tmp_path: Path) -> None:
    weights = checkpoints.read(WEIGHTS / f"{name}.safetensors")
    preset, steps = PRESETS[name], weights.header.steps
    assert without_evaluation_intervals(weights.header.preset) == without_evaluation_intervals(preset)
    assert len(steps) == len(preset.stages)
    for step, stage in zip(steps, preset.stages, strict=True):
        most = stage.epochs * (60_000 // stage.batch_size) if isinstance(stage, Adversarial) else stage.steps
        assert 0 < step <= most
    card = build(weights, tmp_path)
    bundled = mnistgen.models()[name]
    # These fields depend on the versions of libraries.
    parts = dict.fromkeys(("parity", "quality", "attributes", "encoder"))
    varying: Any = {"sha256": "", "versions": {}, "preset": {}, **parts}
    assert dataclasses.replace(card, **varying) == dataclasses.replace(bundled, **varying)
    assert card.preset == bundled.preset == to_json(weights.header.preset)
    assert {onnx.load(graph).ir_version for graph in tmp_path.glob("*.onnx")} == {8}
    for graph in ("model.onnx", "encoder.onnx") if card.encoder else ("model.onnx",):
        first, second = (_weights(path / graph) for path in (tmp_path, BUNDLED / name))
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert np.array_equal(value, second[key]), key
    images = [mnistgen.generate(20, seed=1, model=model).astype(int) for model in (tmp_path, name)]
    assert np.abs(images[0] - images[1]).max() <= 1


def test_bundled_attributes_are_those_of_the_digits() -> None:
    known = mnistgen.card("digits").attributes
    images, labels = mnistgen.generate_labelled(20_000, seed=2)
    found = mnistgen.measure(images)
    assert known is not None
    for name in CONTROLLED:
        values = getattr(found, name)
        assert known[name]["mean"] == pytest.approx(values.mean(), rel=0.05, abs=0.01)
        assert known[name]["deviation"] == pytest.approx(values.std(), rel=0.05)
        for digit, (low, high) in enumerate(known[name]["ranges"]):
            inside = (values[labels == digit] >= low) & (values[labels == digit] <= high)
            assert 0.97 < inside.mean() <= 1


def without_evaluation_intervals(preset: Preset) -> dict[str, Any]:
    """The preset as JSON, without the evaluation intervals, which do not affect training."""
    content = to_json(preset)
    for stage in content["stages"]:
        del stage["evaluate_every"]
    return content


def _weights(path: Path) -> dict[str, NDArray[Any]]:
    return {weight.name: onnx.numpy_helper.to_array(weight) for weight in onnx.load(path).graph.initializer}
