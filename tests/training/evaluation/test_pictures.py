"""Plots with many, few and no data points: no warnings, and a reasonable size."""

import io
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from training.evaluation import charts, pictures
from training.evaluation.figures import Estimate, Scores
from training.evaluation.judges import JUDGES

SOURCE = np.random.default_rng(0)
IMAGES = SOURCE.integers(0, 256, (100, 28, 28), np.uint8)
LABELS = SOURCE.integers(0, 10, 100)
UNIT = SOURCE.random(100)
FEATURES = SOURCE.normal(size=(100, 40)).astype(np.float32)
LINES = [
    {
        "stage": 0,
        "step": step,
        "minutes": step / 60,
        "discriminator_loss": 1.0,
        "generator_loss": -0.5,
        "real_score": 0.6,
        "fake_score": 0.4,
    }
    for step in range(2, 502, 2)
]


def drawn(figure: Figure) -> Image.Image:
    """Render the figure; it must have a reasonable size and not be blank."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    picture = Image.open(file).convert("L")
    assert 500 <= picture.width <= 2000
    assert 100 <= picture.height <= 1500
    assert picture.getextrema()[0] != 255
    return picture


def legend(figure: Figure) -> list[str]:
    found = figure.axes[0].get_legend()
    return [text.get_text() for text in found.get_texts()] if found else []


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


few = pytest.mark.parametrize("count", [1, 5, 100])


class TestDigits:
    @few
    def test_by_confidence(self, count: int) -> None:
        figure = pictures.by_confidence(IMAGES[:count], LABELS[:count], UNIT[:count])
        drawn(figure)
        shown = min(count, 80)
        captions = texts(figure)
        assert len(captions) == 3 * shown
        sure = [int(caption.split()[1]) for caption in captions]
        assert sure[:shown] == sorted(sure[:shown])
        assert sure[shown : 2 * shown] == sorted(sure[shown : 2 * shown], reverse=True)
        assert captions[2 * shown] == f"{LABELS[0]}  {100 * UNIT[0]:.0f} %"

    @few
    def test_closest_pairs(self, count: int) -> None:
        figure = pictures.closest_pairs(IMAGES[:count], IMAGES[::-1][:count], UNIT[:count])
        drawn(figure)
        assert texts(figure) == [f"{distance:.2f}" for distance in sorted(UNIT[:count])[:20]]

    def test_map(self) -> None:
        figure = pictures.feature_map(FEATURES[:20], LABELS[:20], FEATURES[50:65], seed=1)
        drawn(figure)
        assert texts(figure) == 2 * sorted({str(label) for label in LABELS[:20]})

    def test_map_of_few_points(self) -> None:
        drawn(pictures.feature_map(FEATURES[:5], LABELS[:5], FEATURES[5:10], seed=1))

    def test_map_draws_a_sample_of_many_points(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pictures, "MAP_POINTS", 6)
        figure = pictures.feature_map(FEATURES, LABELS, FEATURES, seed=1)
        assert [np.shape(points.get_offsets()) for points in figure.axes[1].collections] == [(6, 2), (6, 2)]


class TestClasses:
    @pytest.mark.parametrize("interval", [None, 0.02])
    def test_shares(self, interval: float | None) -> None:
        figure = charts.class_shares([Estimate(0.1, interval)] * 10, [0.1] * 10, "60 test digits")
        drawn(figure)
        assert "60 test digits" in legend(figure)

    def test_confusion(self) -> None:
        counts = np.diag([90] * 10)
        counts[4, 9] = 10
        figure = charts.confusion(counts.tolist())
        drawn(figure)
        assert texts(figure) == [*["100.0"] * 4, "90.0", "10.0", *["100.0"] * 5]

    def test_empty_confusion(self) -> None:
        drawn(charts.confusion([[0] * 10] * 10))


class TestCurves:
    @pytest.mark.parametrize("count", [1, 5, 250])
    def test_without_a_ratio(self, count: int) -> None:
        figure = charts.training_curves(LINES[:count])
        drawn(figure)
        assert len(figure.axes) == 2

    def test_without_metrics(self) -> None:
        drawn(charts.training_curves([]))

    @pytest.mark.parametrize("every", [1, 50, 250])
    def test_with_ratio_in_some_lines(self, every: int) -> None:
        lines = [
            line | ({"ratio": 1 + 500 / line["step"]} if not index % every else {}) for index, line in enumerate(LINES)
        ]
        figure = charts.training_curves(lines)
        drawn(figure)
        assert len(figure.axes) == 3
        assert figure.axes[0].get_yscale() == "log"
        assert np.shape(figure.axes[0].lines[0].get_xdata()) == (-(-len(LINES) // every),)

    def test_several_stages(self) -> None:
        last = LINES[-1]["minutes"]
        distillation = [
            {"stage": 1, "step": step, "minutes": last + step, "distillation_loss": 1 / step, "ratio": 2.0}
            for step in range(1, 20)
        ]
        matching = [
            {"stage": 2, "step": step, "minutes": last + 20 + step, "moment_distance": 1 / step, "ratio": 1.5}
            for step in range(1, 20)
        ]
        figure = charts.training_curves([*LINES, *distillation, *matching])
        drawn(figure)
        labels = ["held-out Fréchet ratio", "loss", "score, 0 to 1", "distillation loss", "moment distance"]
        assert [axes.get_ylabel() for axes in figure.axes] == labels
        begins = [np.asarray(line.get_xdata())[0] for line in figure.axes[1].lines if line.get_linestyle() == ":"]
        assert sorted(begins) == pytest.approx([last + 1, last + 21])


class TestModels:
    def test_sorted_by_ratio(self) -> None:
        ratios = {"b": Estimate(20.0, 1.0), "c": Estimate(1234.0), "a": Estimate(1.1, 0.3), "x": Estimate(math.nan)}
        rows = [
            Scores(name, "", {"ratio": ratio} | {f"{judge}_ratio": ratio for judge in JUDGES}, ())
            for name, ratio in ratios.items()
        ]
        figure = charts.models(rows[:2], [*rows[2:], Scores("y", "", {}, ())])
        drawn(figure)
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]
        assert texts(figure) == ["1.10 ± 0.30", "20.0 ± 1.0", "1,234"]
        assert legend(figure) == list(JUDGES)

    def test_no_models(self) -> None:
        drawn(charts.models([], []))
