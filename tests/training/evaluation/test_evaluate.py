"""The script evaluate.py: reports, cards and errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

import mnistgen
from tests.conftest import Outcome, contents, write_model
from training.evaluation import drawing
from training.evaluation.figures import FIGURES
from training.evaluation.judges import JUDGES, classify, features

Evaluate = Callable[..., Outcome]
REFERENCES = [
    "other training digits",
    "training digits, noise 0.1",
    "training digits, noise 0.3",
    "per-pixel Gaussian",
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "models" / "small")


def broken(model: onnx.ModelProto) -> None:
    """Fix the batch size, so that other sizes fail."""
    (shape,) = [constant for constant in model.graph.initializer if constant.name == "shape"]
    shape.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(shape) * [0, 1, 1] + [3, 0, 0], "shape"))


class TestFullReport:
    @pytest.fixture
    def report(self, evaluate: Evaluate, model: Path, tmp_path: Path) -> tuple[Path, Outcome]:
        outcome = evaluate(model, "--report", tmp_path / "report", "--samples", 200, "--seeds", 3, "--write-card")
        assert outcome.code == 0, outcome.err
        return tmp_path / "report", outcome

    def test_report_and_card(self, report: tuple[Path, Outcome], model: Path, run_cli: Callable[..., Outcome]) -> None:
        folder, outcome = report
        content = json.loads((folder / "report.json").read_text())
        assert (content["form"], content["samples"], content["seeds"]) == ("full", 200, [1, 2, 3])
        assert (content["target"], content["fresh"]) == ("128 test digits", "86 other training digits")
        assert content["judges"].keys() == JUDGES.keys()
        rows = {row["name"]: row for row in content["models"] + content["references"]}
        assert list(rows) == ["small", *REFERENCES]
        text = (folder / "report.md").read_text()
        for name, row in rows.items():
            assert name in outcome.out
            assert name in text
            absent = {"label_accuracy", "large_accuracy_score"} | (
                {"accuracy_score"} if name in REFERENCES[1:] else set()
            )
            assert set(row["figures"]) | absent == set(FIGURES)
        assert "large_accuracy_score" in rows["small"]["figures"]
        self.check_order(rows)
        self.check_pictures(folder, text)
        self.check_card(rows["small"], model, run_cli)

    def check_order(self, rows: dict[str, Any]) -> None:
        """Figures must rank real digits best, and less noise above more."""
        real, weak, strong, gaussian = (
            {key: estimate["mean"] for key, estimate in rows[name]["figures"].items()} for name in REFERENCES
        )
        for key in ("ratio", "worst_ratio", *(f"{judge}_ratio" for judge in JUDGES)):
            assert real[key] == pytest.approx(1), key
            assert real[key] < weak[key] < strong[key], key
            assert real[key] < gaussian[key], key
        for key in ("recall", "density", "coverage"):
            assert real[key] > weak[key], key
            assert real[key] > strong[key], key
            assert real[key] > gaussian[key], key
        # With only 128 test digits, the balls are so wide that one contains all illegible digits.
        assert real["precision"] > weak["precision"]
        assert real["class_balance"] < gaussian["class_balance"]
        assert real["class_balance"] < strong["class_balance"]
        assert real["label_accuracy"] >= weak["label_accuracy"] >= strong["label_accuracy"]
        assert real["nearest_ratio"] == pytest.approx(1, abs=0.1)
        assert weak["nearest_ratio"] < 0.9  # noisy copies
        assert real["authenticity"] > weak["authenticity"]

    def check_pictures(self, folder: Path, text: str) -> None:
        for key in ("confident", "classes", "map", "closest", "confusion"):
            with Image.open(folder / "small" / f"{key}.png") as picture:
                assert min(picture.size) > 200
            assert f"small/{key}.png" in text
        assert (folder / "models.png").exists()

    def check_card(self, row: Any, model: Path, run_cli: Callable[..., Outcome]) -> None:
        quality: dict[str, Any] = mnistgen.Generator(model).card.quality or {}
        ratio = row["figures"]["ratio"]
        assert quality["figures"]["ratio"] == ratio | {"real_digits": pytest.approx(1)}
        assert quality["judges"].keys() == JUDGES.keys()
        assert (quality["digits"], quality["seeds"]) == (200, [1, 2, 3])
        shown = run_cli("info", model).out
        assert f"{ratio['mean']:.4g} ± {ratio['interval']:.2g}  (real digits: 1)" in shown
        assert "label_accuracy" in shown


def test_default_model_generates_requested_digits() -> None:
    images, labels = mnistgen.generate_labelled(500, seed=3)
    assert (classify(features(images, "classifier")).labels == labels).mean() > 0.97
    number = np.stack(np.split(mnistgen.number("2026", seed=1), 4, axis=1))
    assert classify(features(number, "classifier")).labels.tolist() == [2, 0, 2, 6]


class TestQuickForm:
    def test_uses_one_seed_and_skips_slow_figures(self, evaluate: Evaluate, model: Path, tmp_path: Path) -> None:
        outcome = evaluate(model, "--quick", "--samples", 150, "--report", tmp_path / "report")
        assert outcome.code == 0, outcome.err
        content = json.loads((tmp_path / "report" / "report.json").read_text())
        assert (content["form"], content["seeds"]) == ("quick", [1])
        figures = content["models"][0]["figures"]
        long = {"accuracy_score", "large_accuracy_score", "nearest_ratio", "authenticity"}
        assert set(FIGURES) - set(figures) == long
        assert mnistgen.Generator(model).card.quality is None
        assert (content["target"], content["fresh"]) == ("44 held-out training digits", "42 other training digits")
        assert "44 held-out training digits" in (tmp_path / "report" / "report.md").read_text()

    def test_report_is_written_before_plots(
        self, evaluate: Evaluate, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(drawing, "save", full)
        outcome = evaluate(model, "--quick", "--samples", 150, "--report", tmp_path / "report")
        assert (outcome.code, outcome.err.splitlines()[-1]) == (1, "evaluate.py: no space left")
        assert "classifier" in outcome.out
        assert sorted(contents(tmp_path / "report")) == ["report.json", "report.md"]

    def test_models_with_same_name_get_unique_rows(self, evaluate: Evaluate, tmp_path: Path) -> None:
        paths = [write_model(tmp_path / name, conditional=False) for name in ("first", "second")]
        outcome = evaluate(*paths, "--quick", "--samples", 150, "--report", tmp_path / "report")
        assert outcome.code == 0, outcome.err
        rows = json.loads((tmp_path / "report" / "report.json").read_text())["models"]
        assert [row["name"].endswith(f"{path.name})") for row, path in zip(rows, paths, strict=True)] == [True, True]
        assert rows[0]["confusion"] is None
        assert "label_accuracy" not in rows[0]["figures"]


class TestErrors:
    def test_errors_are_one_line(self, evaluate: Evaluate, model: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        cases: dict[str, tuple[object, ...]] = {
            "no model 'dcgn': did you mean dcgan": ("dcgn",),
            "samples: expected at least 129, for the covariance of 128 features, got 128": (model, "--samples", 128),
            "seeds: expected 1 or more, got 0": (model, "--seeds", 0),
            "--write-card: cards contain results of the full evaluation": (model, "--quick", "--write-card"),
            f"{tmp_path / 'file' / 'report'}: expected a writable folder": (
                model,
                "--report",
                tmp_path / "file" / "report",
            ),
        }
        for message, arguments in cases.items():
            outcome = evaluate(*arguments)
            assert outcome.code == 1
            assert outcome.err.startswith(f"evaluate.py: {message}"), outcome.err
            assert len(outcome.err.splitlines()) == 1

    def test_missing_data_set(self, evaluate: Evaluate, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*arguments: object, **options: object) -> None:
            raise RuntimeError("no route to host")

        monkeypatch.setattr("training.data.MNIST", offline)
        monkeypatch.setattr("tests.training.evaluation.conftest.DATA", Path("nowhere"))
        outcome = evaluate(model)
        assert outcome.code == 1
        assert "not found in nowhere/MNIST/raw, and the download failed" in outcome.err.splitlines()[0]

    def test_failing_model_keeps_report_and_card(self, evaluate: Evaluate, tmp_path: Path) -> None:
        model = write_model(tmp_path / "broken", edit=broken)
        report = tmp_path / "report"
        report.mkdir()
        (report / "report.md").write_text("the earlier one")
        before = contents(report), contents(model)
        outcome = evaluate(model, "--write-card", "--samples", 150, "--report", report)
        assert outcome.code == 1
        assert outcome.err.splitlines()[-1].startswith("evaluate.py: small: sampling failed: ")
        assert (contents(report), contents(model)) == before

    def test_card_not_writable(
        self, evaluate: Evaluate, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report = tmp_path / "report"
        monkeypatch.setattr("os.access", lambda path, mode: Path(path) != model)
        outcome = evaluate(model, "--write-card", "--report", report)
        assert outcome.code == 1
        assert outcome.err == f"evaluate.py: {model}: expected a writable folder, but {model} is not writable\n"
        assert not report.exists()
