"""What is measured, and how the measured figures are kept: FIGURES, Estimate, Scores, Report.

A figure is one number that says how close a set of digits is to real ones. FIGURES says what each is called, which
way is better and where it comes from; tables, reports and cards are all written from it.
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
    """The mean over the sampling seeds and how far off it may be; a mean of NaN stands for what cannot be measured."""

    mean: float
    interval: float | None = None  # half the width of the 95 % interval; None with a single seed

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """The mean of one value a seed, with Student's t interval; NaN where any value is not finite.

        Raises ValueError where there are no values.
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
        """Whether there is a value at all."""
        return math.isfinite(self.mean)

    def text(self, decimals: int) -> str:
        """Such as "1.23 ± 0.04": large means get fewer decimals, so that as many digits count; ABSENT for NaN."""
        if not self.known:
            return ABSENT
        if abs(self.mean) >= 1:
            decimals = max(0, decimals - math.floor(math.log10(abs(self.mean))))
        mean = f"{self.mean:,.{decimals}f}"
        return mean if self.interval is None else f"{mean} ± {self.interval:,.{decimals}f}"


@dataclass(frozen=True)
class Definition:
    """What a figure is, for tables and reports."""

    title: str  # of a column
    name: str  # in full
    decimals: int  # of a value below 10
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
        "The Fréchet distance to the target digits over that of the fresh digits, both in a judge's features; the "
        "geometric mean over the judges. 1.0 is a fresh draw of real digits.",
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
        "The share of these digits that lie among the real ones: within reach of a real digit's nearest neighbours.",
        KYNKAANNIEMI,
    ),
    "recall": Definition(
        "recall", "recall", 3, "up",
        "The share of real digits that lie among these: within reach of one of these digits' nearest neighbours.",
        KYNKAANNIEMI,
    ),
    "density": Definition(
        "density", "density", 3, "near 1",
        "In how many real neighbourhoods one of these digits lies, over how many a real digit would be expected in.",
        NAEEM,
    ),
    "coverage": Definition(
        "coverage", "coverage", 3, "up",
        "The share of real digits with at least one of these digits in their neighbourhood.",
        NAEEM,
    ),
    "label_accuracy": Definition(
        "labels", "label accuracy", 4, "up",
        "The share of digits that the classifier reads as their label says.",
    ),
    "class_balance": Definition(
        "balance", "class balance", 3, "down",
        "Total variation between the shares of the ten digits, as the classifier reads them, and the target digits'.",
    ),
    "accuracy_score": Definition(
        "CAS", "classification accuracy score", 4, "up",
        "The accuracy on the test set of a small classifier trained on as many of these digits as MNIST has for "
        "training, 60,000, and on nothing else.",
        RAVURI,
    ),
    "large_accuracy_score": Definition(
        "CAS 600,000", "classification accuracy score of ten times as many", 4, "up",
        "The same from ten times as many digits, each used a third as often; of the first seed alone.",
        RAVURI,
    ),
    "nearest_ratio": Definition(
        "nearest", "nearest ratio", 2, "near 1",
        "The median distance to the nearest training digit over that of real test digits: far below 1 is copying.",
    ),
    "authenticity": Definition(
        "authentic", "authenticity", 3, "up",
        "The share of digits that are farther from their nearest training digit than that one is from the next.",
        ALAA,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """What was measured of one set of digits: a row of the tables."""

    name: str
    note: str  # such as "labels by the classifier"; may be empty
    figures: Mapping[str, Estimate]  # keyed as FIGURES; one that does not apply is absent
    class_shares: tuple[Estimate, ...]  # of each digit as the classifier reads it, 0 to 9
    confusion: tuple[tuple[int, ...], ...] | None = None  # label (rows) by reading (columns); conditional models only


@dataclass(frozen=True)
class JudgeRecord:
    """What a report says of a judge."""

    fresh_distance: float  # Fréchet distance of the fresh digits from the target: what ratios divide by
    sha256: str | None = None  # of the weights; None for a network that learned nothing
    accuracy: float | None = None  # on the test set; None for a network that reads no digits


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole evaluation: the models, the references, and what they were measured with."""

    form: Literal["full", "quick"]
    samples: int  # digits a seed
    seeds: tuple[int, ...]  # of sampling
    target: str  # the real digits that all distances are taken to
    fresh: str  # the real digits whose distance is the unit
    references: tuple[Scores, ...]  # real digits, and others damaged on purpose
    models: tuple[Scores, ...]
    judges: Mapping[str, JudgeRecord]
    data_sha256: str  # of the training images
    versions: Mapping[str, str]  # of the libraries


def to_json(value: Any) -> Any:
    """A report, or a part of it, as JSON types; a number that cannot be measured, NaN, as None."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [to_json(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
