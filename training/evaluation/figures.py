"""The results of an evaluation as data: FIGURES, Estimate, Scores, Report.

A figure is the value of a metric for a set of digits. FIGURES defines all figures, with their names, directions and
sources, for tables, reports and cards.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from training.evaluation.judges import JUDGES

ABSENT = "\N{EN DASH}"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """The mean over the sampling seeds and its confidence interval; NaN if the figure cannot be measured."""

    mean: float
    interval: float | None = None  # half the width of the 95 % confidence interval; None for a single seed

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """Estimate from one value per seed, with Student's t interval; NaN if any value is not finite.

        Raises ValueError for no values.
        """
        if not len(values):
            raise ValueError("values: expected 1 or more, got none")
        if not np.isfinite(values).all():
            return cls(math.nan)
        mean = float(np.mean(values))
        if len(values) == 1:
            return cls(mean)
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(mean, float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error)

    @property
    def known(self) -> bool:
        """Whether the figure could be measured."""
        return math.isfinite(self.mean)

    def text(self, decimals: int) -> str:
        """Format, e.g. as "1.23 ± 0.04". Means of 10 and more get fewer decimals. ABSENT for NaN."""
        if not self.known:
            return ABSENT
        if abs(self.mean) >= 1:
            decimals = max(0, decimals - math.floor(math.log10(abs(self.mean))))
        mean = f"{self.mean:,.{decimals}f}"
        return mean if self.interval is None else f"{mean} ± {self.interval:,.{decimals}f}"


@dataclass(frozen=True)
class Definition:
    """The definition of a figure, for tables and reports."""

    title: str  # of its column
    name: str  # full name
    decimals: int  # for values below 10
    better: Literal["up", "down", "near 1"]
    meaning: str  # one sentence
    source: str = ""  # of the formula


HEUSEL = "Heusel et al. 2017, arXiv:1706.08500"
KYNKAANNIEMI = "Kynkäänniemi et al. 2019, arXiv:1904.06991"
NAEEM = "Naeem et al. 2020, arXiv:2002.09797"
RAVURI = "Ravuri & Vinyals 2019, arXiv:1905.10887"
ALAA = "Alaa et al. 2022, arXiv:2102.08921"

FIGURES: Mapping[str, Definition] = {
    "ratio": Definition(
        "ratio", "Fréchet ratio", 2, "down",
        "The Fréchet distance to the target digits, divided by that of the fresh digits, in the features of a judge; "
        "the geometric mean over the judges. 1.0 is a fresh draw of real digits.",
        HEUSEL,
    ),
    "worst_ratio": Definition(
        "worst", "worst Fréchet ratio", 2, "down",
        "The largest of the judges' ratios.",
        HEUSEL,
    ),
    **{
        f"{name}_ratio": Definition(
            name, f"Fréchet ratio of the {name}", 2, "down", f"In the features of {judge.summary}.", HEUSEL
        )
        for name, judge in JUDGES.items()
    },
    "precision": Definition(
        "precision", "precision", 3, "up",
        "The share of these digits within the k-nearest-neighbour radius of a real digit.",
        KYNKAANNIEMI,
    ),
    "recall": Definition(
        "recall", "recall", 3, "up",
        "The share of real digits within the k-nearest-neighbour radius of one of these digits.",
        KYNKAANNIEMI,
    ),
    "density": Definition(
        "density", "density", 3, "near 1",
        "The number of real neighbourhoods that contain one of these digits, divided by the number expected for a real "
        "digit.",
        NAEEM,
    ),
    "coverage": Definition(
        "coverage", "coverage", 3, "up",
        "The share of real digits whose neighbourhood contains at least one of these digits.",
        NAEEM,
    ),
    "label_accuracy": Definition(
        "labels", "label accuracy", 4, "up",
        "The share of digits for which the classifier predicts the label.",
    ),
    "class_balance": Definition(
        "balance", "class balance", 3, "down",
        "The total variation distance between the class shares predicted by the classifier and those of the target.",
    ),
    "accuracy_score": Definition(
        "CAS", "classification accuracy score", 4, "up",
        "The accuracy on the test set of a small classifier trained only on 60,000 of these digits, as many as in "
        "MNIST's training set.",
        RAVURI,
    ),
    "large_accuracy_score": Definition(
        "CAS 600,000", "classification accuracy score of ten times as many", 4, "up",
        "The same with ten times as many digits, each used a third as often; for the first seed only.",
        RAVURI,
    ),
    "nearest_ratio": Definition(
        "nearest", "nearest ratio", 2, "near 1",
        "The median distance to the nearest training digit, divided by that of test digits; far below 1 means copying.",
    ),
    "authenticity": Definition(
        "authentic", "authenticity", 3, "up",
        "The share of digits farther from their nearest training digit than that digit is from its own nearest one.",
        ALAA,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """The results for one set of digits, a row of the tables."""

    name: str
    note: str  # e.g. "labels by the classifier"; may be empty
    figures: Mapping[str, Estimate]  # by keys of FIGURES; without those that do not apply
    class_shares: tuple[Estimate, ...]  # of the ten digits, as predicted by the classifier
    confusion: tuple[tuple[int, ...], ...] | None = None  # label (rows) by prediction (columns); if there are labels


@dataclass(frozen=True)
class JudgeRecord:
    """A judge in a report."""

    fresh_distance: float  # Fréchet distance between fresh and target digits, the denominator of ratios
    sha256: str | None = None  # of the weights; None for an untrained network
    accuracy: float | None = None  # on the test set; None for networks that are not classifiers


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of an evaluation and its configuration."""

    form: Literal["full", "quick"]
    samples: int  # generated digits per seed
    seeds: tuple[int, ...]  # of sampling
    target: str  # name of the real digits that all digits are compared with
    fresh: str  # name of the real digits whose distance defines a ratio of 1
    references: tuple[Scores, ...]  # real digits, unchanged and degraded
    models: tuple[Scores, ...]
    handwriting: Mapping[str, Mapping[str, float]]  # by model, then by keys of HANDWRITING; full reports only
    judges: Mapping[str, JudgeRecord]
    data_sha256: str  # of the training images
    versions: Mapping[str, str]  # of the libraries


def to_json(value: Any) -> Any:
    """Convert a report, or a part of it, to JSON types; NaN becomes None."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [to_json(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
