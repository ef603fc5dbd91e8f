"""Estimates, reports as Markdown and files, and plots."""

import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import mnistgen
from training.evaluation import charts
from training.evaluation.judges import JUDGES
from training.evaluation.report import (
    ABSENT,
    FIGURES,
    GROUPS,
    Estimate,
    Report,
    Scores,
    figure_rows,
    markdown_table,
    tables,
    write,
)

CLASSES = ("bag", "coat", "shirt|blouse")
SHARES = (Estimate(0.3, 0.01), Estimate(0.3, 0.01), Estimate(0.4, 0.02))
REPORT = Report(
    form="full",
    data={"name": "clothes", "sha256": "da7a", "classes": CLASSES},
    samples=10_000,
    seeds=(1, 2, 3),
    target="10,000 test images",
    fresh="9,998 other training images",
    references=(Scores("Gaussian", "", {"ratio": Estimate(1234.5)}, SHARES),),
    models=(Scores("by|class", "labelled", {key: Estimate(2.5, 0.25) for key in FIGURES}, SHARES, ((9, 1), (0, 9))),),
    handwriting={"mlp": {"slant_r2": 0.975}},
    judges={"classifier": {"fresh_distance": 0.0253, "sha256": "c0ffee", "accuracy": 0.9933}},
    versions={"torch": "2.15"},
)
PICTURES = {"by|class": ["by class/map.png"]}
DOCUMENTED = [key for key in FIGURES if key != "authenticity"]


class TestEstimate:
    def test_students_t_interval(self) -> None:
        # 1, 2, 3: standard deviation 1, two degrees of freedom, t = 4.302653
        estimate = Estimate.of([1, 2, 3])
        assert estimate.mean == 2
        assert estimate.interval == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
        assert Estimate.of([1.5]) == Estimate(1.5, None)

    def test_text(self) -> None:
        assert Estimate(1.234, 0.056).text(2) == "1.23 ± 0.06"
        assert Estimate(-0.5).text(2) == "-0.50"
        assert Estimate(12.34, 0.5).text(2) == "12.3 ± 0.5"
        assert Estimate(1234.5, 40).text(2) == "1,234 ± 40"


def test_tables_contain_all_rows_and_figures() -> None:
    lines = tables(REPORT).splitlines()
    for title, _ in FIGURES.values():
        assert sum(f" {title} |" in line for line in lines) == 1
    assert sum(line.startswith(r"| by\|class |") for line in lines) == len(GROUPS)
    assert f"| Gaussian | 1,234 | {' | '.join([ABSENT] * 5)} |" in lines
    assert "| slant R² | 0.9750 |" in lines
    assert lines[-1] == "by|class: labelled."
    few = dataclasses.replace(REPORT, models=(), handwriting={})  # columns and tables that no row needs are omitted
    assert tables(few).splitlines()[2:] == ["|  | ratio ↓ |", "| --- | --: |", "| Gaussian | 1,234 |"]


def test_written_files(tmp_path: Path) -> None:
    write(REPORT, tmp_path, PICTURES)
    text = (tmp_path / "report.md").read_text("utf-8")
    for part in (
        "A full evaluation on clothes: 10,000 images per model and sampling seed; seeds: 1, 2, 3.",
        REPORT.target,
        REPORT.fresh,
        "test accuracy 99.33 %, SHA-256 `c0ffee`",
        "SHA-256 `da7a`; torch 2.15",
        "|  | bag | coat | shirt\\|blouse |",
        "| Gaussian | 30.0 | 30.0 | 40.0 |",
        "](by%20class/map.png)",
    ):
        assert part in text
    content = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert content.keys() == {field.name for field in dataclasses.fields(Report)}
    assert content["models"][0]["figures"]["ratio"] == {"mean": 2.5, "interval": 0.25}
    assert content["models"][0]["confusion"] == [[9, 1], [0, 9]]


def test_documentation_matches_cards() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "evaluation.md").read_text("utf-8")
    for name, card in mnistgen.models().items():
        assert card.quality is not None, name
        figures = {key: Estimate(value["mean"], value["interval"]) for key, value in card.quality["figures"].items()}
        header, _, row = markdown_table(figure_rows([Scores(name, "", figures, ())], DOCUMENTED)).splitlines()
        assert header in page
        assert row in page, f"docs/evaluation.md lacks {row}"
        assert all(value["real_digits"] is not None for value in card.quality["figures"].values())


RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (100, 28, 28), np.uint8)
UNIT = RANDOM.random(100)


def drawn(figure: Figure) -> list[str]:
    """Render the figure, which must have a reasonable size and not be blank; returns the texts in its axes."""
    figure.savefig(file := io.BytesIO(), format="png")
    picture = Image.open(file).convert("L")
    assert 500 <= picture.width <= 3000
    assert 100 <= picture.height <= 3000
    assert picture.getextrema()[0] != 255
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("count", [2, 20])
def test_plots_of_classes(count: int) -> None:
    classes, labels = [f"class number {index}" for index in range(count)], np.arange(100) % count
    captions = drawn(charts.by_confidence(IMAGES, labels, UNIT, classes))
    sure = [int(caption.split()[-2]) for caption in captions]  # 8 in each panel
    assert sure[:8] == sorted(sure[:8])
    assert sure[8:16] == sorted(sure[8:16], reverse=True)
    assert captions[16] == f"class numb  {100 * UNIT[0]:.0f} %"
    points = RANDOM.normal(size=(100, 20))
    assert set(drawn(charts.feature_map(points, labels, points[:15], 1, classes))) <= set(classes)
    counts = np.diag([90] * count)
    counts[1, 0] = 10
    assert drawn(charts.confusion(counts.tolist(), classes)) == ["100.0", "10.0", "90.0", *["100.0"] * (count - 2)]


def test_closest_pairs() -> None:
    captions = drawn(charts.closest_pairs(IMAGES, IMAGES[::-1], UNIT))
    assert captions == [f"{distance:.2f}" for distance in sorted(UNIT)[:16]]


@pytest.mark.parametrize("judges", [list(JUDGES), ["autoencoder", "untrained"]])
def test_models_are_sorted_by_ratio(judges: list[str]) -> None:
    ratios = {"b": Estimate(20.0, 1.0), "c": Estimate(1234.0), "a": Estimate(1.1, 0.3)}
    keys = ["ratio", *(f"{judge}_ratio" for judge in judges)]
    rows = [Scores(name, "", dict.fromkeys(keys, ratio), ()) for name, ratio in ratios.items()]
    figure = charts.models(rows[:2], rows[2:])
    drawn(figure)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["a: 1.10 ± 0.30", "b: 20.0 ± 1.0", "c: 1,234"]
    assert figure.axes[0].get_legend_handles_labels()[1] == judges
