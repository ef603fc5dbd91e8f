"""The script evaluate.py: reports, cards and errors, on MNIST, on other classes and without labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import mnistgen
from mnistgen._model import find
from tests.conftest import contents, write_model
from tests.training.evaluation.conftest import SHAPES, SMALL_MNIST
from training.errors import EvaluationError
from training.evaluate import assess, main
from training.evaluation.handwriting import measure_handwriting
from training.evaluation.judges import JUDGES
from training.evaluation.measure import REFERENCES, Model, loaded
from training.evaluation.report import FIGURES

NAMES = [reference.name for reference in REFERENCES]
SCORES = ("accuracy_score", "large_accuracy_score")
SLOW = {*SCORES, "nearest_ratio", "authenticity"}
OF_CLASSES = {"classifier_ratio", "mixer_ratio", "label_accuracy", "class_balance"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "models" / "small")


def read(folder: Path) -> tuple[dict[str, Any], str]:
    """The report as JSON and as Markdown."""
    return json.loads((folder / "report.json").read_text()), (folder / "report.md").read_text()


class TestFullReport:
    def test_report_and_card(self, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = tmp_path / "report"
        main([str(model)], folder, samples=200, seeds=2, write_card=True, data=SMALL_MNIST, workers=1)
        shown = capsys.readouterr().out
        content, text = read(folder)
        assert (content["form"], content["samples"], content["seeds"]) == ("full", 200, [1, 2])
        assert (content["target"], content["fresh"]) == ("128 test images", "88 other training images")
        rows = {row["name"]: row for row in content["models"] + content["references"]}
        assert list(rows) == ["small", *NAMES]
        for name, row in rows.items():
            assert name in shown
            assert name in text
            scores = {"small": 2, NAMES[0]: 1}.get(name, 0)  # a classifier of illegible digits learns nothing
            assert set(FIGURES) - set(row["figures"]) - {"label_accuracy"} == set(SCORES[scores:]), name
        self.check_order(rows)
        for path in ("models.png", *(f"small/{key}.png" for key in ("confident", "map", "closest", "confusion"))):
            assert (folder / path).stat().st_size > 1000
            assert f"]({path})" in text
        self.check_card(rows["small"], content["judges"], model)

    def check_order(self, rows: dict[str, Any]) -> None:
        """Figures must rank real digits best, and less noise above more."""
        real, weak, strong, gaussian = (
            {key: estimate["mean"] for key, estimate in rows[name]["figures"].items()} for name in NAMES
        )
        for key in ("ratio", "worst_ratio", *(f"{judge}_ratio" for judge in JUDGES)):
            assert real[key] == pytest.approx(1), key
            assert real[key] < weak[key] < strong[key], key
            assert real[key] < gaussian[key], key
        for key in ("recall", "density", "coverage"):
            assert real[key] > max(weak[key], strong[key], gaussian[key]), key
        # With only 128 test digits, the balls are so wide that one contains all illegible digits.
        assert real["precision"] > weak["precision"]
        assert real["class_balance"] < min(gaussian["class_balance"], strong["class_balance"])
        assert real["label_accuracy"] >= weak["label_accuracy"] >= strong["label_accuracy"]
        assert real["nearest_ratio"] == pytest.approx(1, abs=0.1)
        assert weak["nearest_ratio"] < 0.9  # noisy copies
        assert real["authenticity"] > weak["authenticity"]

    def check_card(self, row: Any, judges: Any, model: Path) -> None:
        quality: dict[str, Any] = mnistgen.card(model).quality or {}
        assert quality["figures"]["ratio"] == row["figures"]["ratio"] | {"real_digits": pytest.approx(1)}
        large = quality["figures"]["large_accuracy_score"]
        assert large["real_digits"] == quality["figures"]["accuracy_score"]["real_digits"]
        assert quality["judges"] == judges
        assert judges["classifier"].keys() == {"fresh_distance", "sha256", "accuracy"}
        assert judges.keys() == JUDGES.keys()
        assert (quality["digits"], quality["seeds"]) == (200, [1, 2])


class TestQuickForm:
    def test_other_classes(self, shapes: str, tmp_path: Path) -> None:
        """A data set of three shapes, a model of these, and one of digits."""
        model = write_model(tmp_path / "of-shapes", classes=SHAPES, name="of-shapes")
        other = write_model(tmp_path / "of-digits", name="of-digits")
        main([str(model), str(other)], tmp_path / "report", quick=True, data=shapes, workers=1)
        content, text = read(tmp_path / "report")
        assert (content["form"], content["seeds"], content["data"]["classes"]) == ("quick", [1], list(SHAPES))
        assert content["target"].endswith(" held-out training images")
        rows = {row["name"]: row for row in content["models"] + content["references"]}
        assert set(FIGURES) - set(rows["of-shapes"]["figures"]) == SLOW
        assert np.shape(rows["of-shapes"]["confusion"]) == (3, 3)
        assert len(rows["of-shapes"]["class_shares"]) == 3
        assert rows["of-digits"]["confusion"] is None  # its labels mean something else
        assert "of-digits: without labels; labelled by the classifier" in text
        assert f"|  | {' | '.join(SHAPES)} |" in text

    def test_unlabelled_data(self, model: Path, unlabelled: str, tmp_path: Path) -> None:
        main([str(model)], tmp_path / "report", quick=True, data=unlabelled, workers=1)
        content, text = read(tmp_path / "report")
        assert list(content["judges"]) == ["autoencoder", "untrained"]
        for row in content["models"] + content["references"]:
            assert set(FIGURES) - set(row["figures"]) == SLOW | OF_CLASSES
            assert (row["class_shares"], row["confusion"]) == ([], None)
        assert "classifier" not in text

    def test_quantized_model_and_its_float32_form(self, tmp_path: Path) -> None:
        quantized = write_model(tmp_path / "quantized", preset={"name": "x", "quantization": {"calibration": 9}})
        float32 = write_model(tmp_path / "float32", preset={"name": "x", "quantization": None})
        models, options = [find(quantized), find(float32)], {"data": SMALL_MNIST, "samples": 150, "workers": 1}
        report = assess(models, tmp_path / "report", form="quick", write_card=True, **options)  # type: ignore[arg-type]
        assert [row.name.split("_")[-1] for row in report.models] == ["quantized)", "float32)"]  # both are named small
        figures = (mnistgen.card(quantized).quality or {})["figures"]
        assert figures["ratio"]["float32"] == report.models[1].figures["ratio"].mean
        assert "float32" not in (mnistgen.card(float32).quality or {})["figures"]["ratio"]


def test_handwriting_of_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    data, real = loaded(SMALL_MNIST, "auto", "full")
    monkeypatch.setattr("training.evaluation.handwriting.MNIST_SHA256", data.sha256)
    path = Path(str(find("digits").path))
    figures = measure_handwriting(Model(path, "digits", find("digits").card), real.identity, data, real)
    for name in ("thickness", "slant", "width", "height"):
        assert figures[f"{name}_r2"] > 0.9
        assert figures[f"{name}_labels"] > 0.95
    assert figures["refined_error"] < figures["reconstruction_error"] < 0.02 < figures["nearest_error"]
    assert min(figures[f"{name}_labels"] for name in ("kept", "read", "swapped")) > 0.97
    assert figures["slant_correlation"] > 0.8
    assert 0 <= figures["same_writer"] <= 1


def test_quick_figures_are_not_written_into_cards(model: Path) -> None:
    with pytest.raises(EvaluationError, match="--write-card: cards contain results of the full evaluation"):
        main([str(model)], quick=True, write_card=True)


def test_failing_model_keeps_report_and_card(tmp_path: Path) -> None:
    def broken(model: onnx.ModelProto) -> None:
        """Fix the batch size, so that other sizes fail."""
        (shape,) = [constant for constant in model.graph.initializer if constant.name == "shape"]
        shape.CopyFrom(numpy_helper.from_array(np.array([3, 28, 28]), "shape"))

    model = write_model(tmp_path / "broken", edit=broken)
    (report := tmp_path / "report").mkdir()
    (report / "report.md").write_text("the earlier one")
    before = contents(report), contents(model)
    with pytest.raises(EvaluationError, match="small: sampling failed: "):
        main([str(model)], report, write_card=True, samples=150, data=SMALL_MNIST, workers=1)
    assert (contents(report), contents(model)) == before
