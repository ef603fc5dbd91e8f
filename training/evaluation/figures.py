"""What is measured, and how the measured figures are kept: FIGURES, Estimate, Scores, Report.

A figure is one number that says how close a set of digits is to real ones. FIGURES says what each is called, which
way is better and where it comes from; tables, reports and cards are all written from it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from scipy import stats

from training.errors import EvaluationError

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

    def to_json(self) -> dict[str, float | None]:
        """Mean and interval; a mean of NaN, which JSON lacks, as None."""
        return {"mean": self.mean if self.known else None, "interval": self.interval}

    @classmethod
    def from_json(cls, content: Mapping[str, float | None]) -> "Estimate":
        """The estimate that `to_json` described. Raises KeyError where mean or interval is missing."""
        mean = content["mean"]
        return cls(math.nan if mean is None else mean, content["interval"])


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
    "frechet_distance": Definition(
        "Fréchet", "Fréchet distance", 3, "down",
        "Between two Gaussians, one fitted to the classifier's features of these digits, one to those of the test set.",
        HEUSEL,
    ),
    "frechet_ratio": Definition(
        "ratio", "Fréchet ratio", 2, "down",
        "The Fréchet distance over that of 10,000 other training digits: 1.0 is a fresh draw of real digits.",
        HEUSEL,
    ),
    "random_distance": Definition(
        "random", "Fréchet distance in random-network features", 3, "down",
        "The same distance in the features of an untrained network, which cannot share the classifier's blind spots.",
        HEUSEL,
    ),
    "random_ratio": Definition(
        "random ratio", "Fréchet ratio in random-network features", 2, "down",
        "That distance over that of 10,000 other training digits.",
        HEUSEL,
    ),
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
        "The share of digits that the classifier reads as the digit that was asked for.",
    ),
    "class_balance": Definition(
        "balance", "class balance", 3, "down",
        "Total variation between the shares of the ten digits, as the classifier reads them, and the test set's.",
    ),
    "accuracy_score": Definition(
        "CAS", "classification accuracy score", 4, "up",
        "The accuracy on real test digits of a classifier trained on these digits alone.",
        RAVURI,
    ),
    "large_accuracy_score": Definition(
        "CAS 600,000", "classification accuracy score of ten times as many", 4, "up",
        "The same from ten times as many digits as there are real ones to learn from; of the first seed alone.",
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
    class_ratios: tuple[Estimate, ...] | None = None  # Fréchet ratio within each class; NaN with too few digits
    confusion: tuple[tuple[int, ...], ...] | None = None  # asked (rows) by read (columns); conditional models only

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON types."""
        return {
            "name": self.name,
            "note": self.note,
            "figures": {key: value.to_json() for key, value in self.figures.items()},
            "class_shares": [share.to_json() for share in self.class_shares],
            "class_ratios": self.class_ratios and [ratio.to_json() for ratio in self.class_ratios],
            "confusion": self.confusion and [list(row) for row in self.confusion],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Scores":
        """The scores that `to_json` described. Raises EvaluationError where the content is nothing of the kind."""
        try:
            ratios, confusion = content["class_ratios"], content["confusion"]
            return cls(
                name=content["name"],
                note=content["note"],
                figures={key: Estimate.from_json(value) for key, value in content["figures"].items()},
                class_shares=tuple(map(Estimate.from_json, content["class_shares"])),
                class_ratios=ratios and tuple(map(Estimate.from_json, ratios)),
                confusion=confusion and tuple(map(tuple, confusion)),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise EvaluationError(f"not the scores of a set of digits: {error!r}") from None


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole evaluation: the models, what they are held against, and what measured them."""

    form: Literal["full", "quick"]
    samples: int  # digits a seed
    seeds: tuple[int, ...]  # of sampling
    references: tuple[Scores, ...]  # real digits, and others damaged on purpose
    models: tuple[Scores, ...]
    classifier: Mapping[str, Any]  # sha256; accuracy, a float, on the test set
    data_sha256: str  # of the training images
    versions: Mapping[str, str]  # of the libraries

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {
            "seeds": list(self.seeds),
            "references": [scores.to_json() for scores in self.references],
            "models": [scores.to_json() for scores in self.models],
            "classifier": dict(self.classifier),
            "versions": dict(self.versions),
        }
