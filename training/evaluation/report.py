"""The results of an evaluation: figures, estimates and scores as data, and the report of them as Markdown and JSON.

A figure is the value of a metric for a set of images. FIGURES lists them, for tables, reports and cards.
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from scipy import stats

from mnistgen._files import whole_file
from training.evaluation.judges import JUDGES

ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Estimate:
    """The mean over the sampling seeds and its confidence interval."""

    mean: float
    interval: float | None = None  # half the width of the 95 % confidence interval; None for a single seed

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """Estimate from one value per seed, at least one, with Student's t interval."""
        mean = float(np.mean(values))
        if len(values) == 1:
            return cls(mean)
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(mean, float(stats.t.ppf(0.975, len(values) - 1)) * error)

    def text(self, decimals: int) -> str:
        """Format, e.g. as "1.23 ± 0.04". Means of 10 and more get fewer decimals."""
        if abs(self.mean) >= 1:
            decimals = max(0, decimals - math.floor(math.log10(abs(self.mean))))
        mean = f"{self.mean:,.{decimals}f}"
        return mean if self.interval is None else f"{mean} ± {self.interval:,.{decimals}f}"


# Each figure's column title, whose arrow shows which direction is better, and its decimals for values below 10.
# docs/evaluation.md defines them. The figures are split into several tables, to fit a terminal.
GROUPS: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "Fréchet ratios": {"ratio": ("ratio ↓", 2), "worst_ratio": ("worst ↓", 2)}
    | {f"{name}_ratio": (f"{name} ↓", 2) for name in JUDGES},
    "Fidelity and diversity": {
        "precision": ("precision ↑", 3),
        "recall": ("recall ↑", 3),
        "density": ("density →1", 3),
        "coverage": ("coverage ↑", 3),
    },
    "Labels and classification": {
        "label_accuracy": ("labels ↑", 4),
        "class_balance": ("balance ↓", 3),
        "accuracy_score": ("CAS ↑", 4),
        "large_accuracy_score": ("CAS, 10 times as many ↑", 4),
    },
    "Memorisation": {"nearest_ratio": ("nearest →1", 2), "authenticity": ("authentic ↑", 3)},
}
FIGURES: Mapping[str, tuple[str, int]] = {key: figure for group in GROUPS.values() for key, figure in group.items()}


@dataclass(frozen=True)
class Scores:
    """The results for one set of images, a row of the tables."""

    name: str
    note: str  # e.g. "labelled by the classifier"; may be empty
    figures: Mapping[str, Estimate]  # by keys of FIGURES; without those that do not apply or cannot be measured
    class_shares: tuple[Estimate, ...]  # (K,), as predicted by the classifier; empty without classes
    confusion: tuple[tuple[int, ...], ...] | None = None  # label (rows) by prediction (columns); if there are labels


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of an evaluation and its configuration."""

    form: Literal["full", "quick"]
    data: Mapping[str, Any]  # of the training images: name, number, SHA-256, classes
    samples: int  # generated images per seed
    seeds: tuple[int, ...]  # of sampling
    target: str  # name of the real images that all images are compared with
    fresh: str  # name of the real images whose distance defines a ratio of 1
    references: tuple[Scores, ...]  # real images, unchanged and degraded
    models: tuple[Scores, ...]
    handwriting: Mapping[str, Mapping[str, float]]  # by model and figure; full reports only
    judges: Mapping[str, Mapping[str, Any]]  # distance of the fresh images, SHA-256 of the weights, test accuracy
    versions: Mapping[str, str]  # of the libraries


# --- the report -------------------------------------------------------------------------------------------------------

Rows = list[list[str]]  # the first row is the header, the first column the names


def write(report: Report, folder: Path, pictures: Mapping[str, Sequence[str]]) -> None:
    """Write report.json, and report.md, which links the pictures, into a folder.

    Pictures map titles, such as models' names, to paths relative to the folder.
    """
    sections = ["# How close the generated images are to real ones", _what_was_measured(report), tables(report)]
    if names := report.data["classes"]:
        shares = [[row.name, *(f"{100 * share.mean:.1f}" for share in row.class_shares)] for row in _scores(report)]
        title = "## The share of each class in %, as predicted by the classifier"
        sections += [title, markdown_table([["", *names], *shares])]
    for title, paths in pictures.items():
        sections += [f"## Pictures: {title}", *(f"![{Path(path).stem}]({quote(path)})" for path in paths)]
    content = json.dumps(dataclasses.asdict(report), indent=2, ensure_ascii=False) + "\n"
    for name, text in {"report.md": "\n\n".join([*sections, ""]), "report.json": content}.items():
        with whole_file(folder / name) as file:
            file.write(text.encode())


def tables(report: Report) -> str:
    """The figures as Markdown tables, with a row for each set of images, and notes."""
    sections = []
    rows = _scores(report)
    for title, group in GROUPS.items():
        if known := [key for key in group if any(key in row.figures for row in rows)]:
            sections += [f"## {title}", markdown_table(figure_rows(rows, known))]
    for name, figures in report.handwriting.items():
        table = [[key.replace("_", " ").replace(" r2", " R²"), f"{value:.4f}"] for key, value in figures.items()]
        sections += [f"## Handwriting: {name}", markdown_table([["", "figure"], *table])]
    notes = [f"{row.name}: {row.note}" for row in rows if row.note]
    return "\n\n".join([*sections, *([f"{'; '.join(notes)}."] if notes else [])])


def figure_rows(rows: Sequence[Scores], keys: Sequence[str]) -> Rows:
    """A header, and for each set of images its name and figures."""
    cells = [[row.figures[key].text(FIGURES[key][1]) if key in row.figures else ABSENT for key in keys] for row in rows]
    return [["", *(FIGURES[key][0] for key in keys)], *([row.name, *c] for row, c in zip(rows, cells, strict=True))]


def markdown_table(rows: Rows) -> str:
    """A Markdown table, with numbers aligned on the right."""
    header, *body = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))


def _scores(report: Report) -> tuple[Scores, ...]:
    return (*report.models, *report.references)


def _what_was_measured(report: Report) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f"""\
A {report.form} evaluation on {report.data["name"]}: {report.samples:,} images per model and sampling seed; seeds: \
{", ".join(map(str, report.seeds))}. Figures of reports with another number of images are not comparable. \
`docs/evaluation.md` of mnistgen defines the figures.

- **Target**: {report.target}, which all sets of images are compared with.
- **Fresh images**: {report.fresh}, whose Fréchet distance to the target is the denominator of the ratios. The two sets
  are disjoint, and no judge was trained on either.
- **Interpretation.** A Fréchet ratio of 1.0 is a fresh draw of real images. Arrows in column titles show which
  direction is better. The rows below the models are references of known quality, measured with the first seed.
- **Uncertainty.** The number after ± is half the width of the 95 % confidence interval over sampling seeds (Student's
  t). It does not include the variance between training runs. {ABSENT} marks figures that do not apply or cannot be
  measured with so few images.
- **Data and libraries.** Training images with SHA-256 `{report.data["sha256"]}`; {libraries}.
- **Judges**, none of which is used in training:
{chr(10).join(_judges(report))}"""


def _judges(report: Report) -> Iterator[str]:
    for name, judge in report.judges.items():
        accuracy = "" if judge["accuracy"] is None else f", test accuracy {100 * judge['accuracy']:.2f} %"
        weights = "" if judge["sha256"] is None else f", SHA-256 `{judge['sha256']}`"
        distance = f"distance of the fresh images {judge['fresh_distance']:.3g}"
        yield f"  - {name}: {JUDGES[name].summary}; {distance}{accuracy}{weights}"
