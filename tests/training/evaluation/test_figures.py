"""Estimates and scores: intervals, formatting and JSON."""

import json
import math

import pytest

from training.evaluation.figures import ABSENT, FIGURES, Estimate, Scores, to_json

SCORES = Scores(
    name="conv",
    note="labels by the classifier",
    figures={key: Estimate(index + 0.5, 0.25) for index, key in enumerate(FIGURES)},
    class_shares=(Estimate(0.1, 0.01),) * 10,
    confusion=((7,) * 10,) * 10,
)


class TestEstimate:
    def test_students_t_interval(self) -> None:
        # 1, 2, 3: standard deviation 1, two degrees of freedom, t = 4.302653
        estimate = Estimate.of([1, 2, 3])
        assert estimate.mean == 2
        assert estimate.interval == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)

    def test_single_value_has_no_interval(self) -> None:
        assert Estimate.of([1.5]) == Estimate(1.5, None)

    def test_equal_values_have_zero_interval(self) -> None:
        assert Estimate.of([2.0, 2.0]) == Estimate(2.0, 0.0)

    @pytest.mark.parametrize("values", [[math.nan], [1.0, math.nan], [1.0, math.inf, -math.inf]])
    def test_non_finite_values_are_unknown(self, values: list[float]) -> None:
        estimate = Estimate.of(values)
        assert not estimate.known
        assert estimate.interval is None

    def test_no_values_raise(self) -> None:
        with pytest.raises(ValueError, match="values: expected 1 or more, got none"):
            Estimate.of([])

    @pytest.mark.parametrize(
        ("estimate", "text"),
        [
            (Estimate(1.234, 0.056), "1.23 ± 0.06"),
            (Estimate(0.0), "0.00"),
            (Estimate(-0.5), "-0.50"),
            (Estimate(9.994), "9.99"),
            (Estimate(12.34, 0.5), "12.3 ± 0.5"),
            (Estimate(1234.5, 40), "1,234 ± 40"),
            (Estimate(math.nan), ABSENT),
        ],
    )
    def test_text(self, estimate: Estimate, text: str) -> None:
        assert estimate.text(2) == text


class TestJson:
    def test_scores(self) -> None:
        content = json.loads(json.dumps(to_json(SCORES), allow_nan=False))
        assert content["name"] == "conv"
        assert content["figures"]["ratio"] == {"mean": 0.5, "interval": 0.25}
        assert content["figures"].keys() == FIGURES.keys()
        assert content["class_shares"] == [{"mean": 0.1, "interval": 0.01}] * 10
        assert content["confusion"] == [[7] * 10] * 10

    def test_nan_is_null(self) -> None:
        assert to_json(Estimate(math.nan)) == {"mean": None, "interval": None}
        assert to_json(Scores("noise", "", {}, ()))["confusion"] is None
