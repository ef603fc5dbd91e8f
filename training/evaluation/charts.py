"""Plots of results: class shares, confusion matrix, training curves, comparison of models.

Functions return a matplotlib Figure. The colours, from M. Okabe and K. Ito, "Color Universal Design", 2008, are
distinguishable with colour vision deficiency.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from training.evaluation.figures import Estimate, Scores
from training.evaluation.judges import JUDGES

Float64 = NDArray[np.float64]

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8C8C8C", "#222222"
MARKERS = "os^Dv<>"  # one per judge
# A decorator that applies this style, independent of the user's matplotlib configuration.
styled = matplotlib.rc_context(
    {
        "figure.dpi": 120,
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.wspace": 0.05,
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.edgecolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
    }
)
CURVES: dict[str, Mapping[str, str]] = {  # axes label -> curve label -> key in metrics.jsonl
    "loss": {"discriminator": "discriminator_loss", "generator": "generator_loss"},
    "score, 0 to 1": {"real digits": "real_score", "generated digits": "fake_score"},
    "distillation loss": {"squared error to the teacher's": "distillation_loss"},
    "moment distance": {"over the feature networks": "moment_distance"},
    "reconstruction error": {"squared error of real digits": "reconstruction_error"},
}
TRUNCATION: Mapping[str, Mapping[str, str]] = {  # axes label -> curve label -> key of FIGURES
    "Fréchet ratio": {"ratio": "ratio"},
    "precision and recall": {"precision": "precision", "recall": "recall"},
    "label accuracy": {"label accuracy": "label_accuracy"},
}
WINDOWS = 100  # moving-average windows per stage


@styled
def class_shares(shares: Sequence[Estimate], target_shares: Sequence[float], target: str) -> Figure:
    """A bar chart of the shares of the ten digits, 0 to 1, with marks at the target's; `target` is its name."""
    figure = Figure(figsize=(7, 3.6))
    axes = figure.add_subplot()
    means, intervals = _means_and_intervals(shares)
    axes.bar(range(10), means, yerr=intervals, color=BLUE, alpha=0.75, error_kw={"ecolor": INK}, label="generated")
    digits = np.arange(10)
    axes.hlines(target_shares, digits - 0.45, digits + 0.45, color=ORANGE, linewidth=2, label=target)
    axes.set(xlim=(-0.6, 9.6), xticks=range(10), xlabel="digit")
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y")
    axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    axes.set_title("Share of each digit", loc="left")
    return figure


@styled
def confusion(counts: Sequence[Sequence[int]]) -> Figure:
    """A heat map of a confusion matrix (10, 10), labels (rows) by predictions (columns), normalised by row.

    The diagonal is not coloured, so that the colours show the misclassifications.
    """
    rows = np.asarray(counts, float)
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    mistakes = np.ma.masked_array(shares, mask=np.eye(10, dtype=bool))
    most = max(float(mistakes.max()), 0.001)
    figure = Figure(figsize=(6.4, 5.8))
    axes = figure.add_subplot()
    axes.set_facecolor("#E6E6E6")
    picture = axes.imshow(mistakes, cmap="Blues", vmin=0, vmax=most)
    for (label, predicted), share in np.ndenumerate(shares):
        if share or label == predicted:
            colour = "white" if label != predicted and share > 0.6 * most else INK
            axes.text(predicted, label, f"{100 * share:.1f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set(xticks=range(10), yticks=range(10), xlabel="predicted by the classifier", ylabel="label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(picture, shrink=0.6, format=PercentFormatter(1, symbol=" %"), label="misclassified")
    axes.set_title("Confusion matrix of the classifier, in % of each label")
    return figure


@styled
def training_curves(metrics: Sequence[Mapping[str, Any]]) -> Figure:
    """The held-out ratio and the metrics in CURVES, if logged, against training time in minutes.

    `metrics` are the lines of metrics.jsonl. Pale curves are the logged values, dark ones a moving average within each
    stage. Dotted lines mark the starts of stages.
    """
    logged = {key for line in metrics for key in line}
    shown = {label: curves for label, curves in CURVES.items() if logged.intersection(curves.values())}
    measured = [line for line in metrics if "ratio" in line]
    panels = max(1, len(shown) + bool(measured))
    figure = Figure(figsize=(8, 0.6 + 2.2 * panels))
    panel = iter(figure.subplots(panels, 1, sharex=True, squeeze=False).flat)
    if measured:
        _draw_ratios(next(panel), measured)
    for axes, (label, curves) in zip(panel, shown.items(), strict=False):
        for (name, key), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
            _draw_curve(axes, [line for line in metrics if key in line], key, name, colour)
        axes.set_ylabel(label)
        axes.grid()
        axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))
    starts = {line["stage"]: line["minutes"] for line in reversed(metrics) if line["stage"]}
    for axes in figure.axes:
        for minutes in starts.values():
            axes.axvline(minutes, color=GREY, linewidth=1, linestyle=":")
    figure.axes[-1].set_xlabel("minutes")
    figure.suptitle("Training: logged values (pale) and moving averages (dark)")
    return figure


def _draw_curve(axes: Axes, lines: Sequence[Mapping[str, Any]], key: str, name: str, colour: str) -> None:
    """Plot a metric against time, separately for each stage."""
    for index, stage in enumerate(sorted({line["stage"] for line in lines})):
        of_stage = [line for line in lines if line["stage"] == stage]
        minutes, values = (np.array([line[column] for line in of_stage], float) for column in ("minutes", key))
        axes.plot(minutes, values, color=colour, alpha=0.25, linewidth=0.7)
        label = None if index else name
        axes.plot(_smooth(minutes), _smooth(values), color=colour, linewidth=1.3, label=label)


def _draw_ratios(axes: Axes, lines: Sequence[Mapping[str, Any]]) -> None:
    """Plot the ratio against time, with its best point marked."""
    minutes, ratios = (np.array([line[key] for line in lines], float) for key in ("minutes", "ratio"))
    axes.plot(minutes, ratios, color=INK, marker="o", markersize=3)
    best = int(np.argmin(ratios))
    axes.plot(minutes[best], ratios[best], "o", color=BLUE, markersize=7, label=f"best: {ratios[best]:.2f}")
    axes.axhline(1, color=ORANGE, linewidth=2, label="a fresh draw of real digits")
    _log_axis(axes, "y")
    axes.set_ylabel("held-out Fréchet ratio")
    axes.grid()
    axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))


@styled
def models(scores: Sequence[Scores], references: Sequence[Scores]) -> Figure:
    """The ratios of models and references, overall and for each judge, sorted, on a logarithmic axis.

    Rows without a ratio are omitted.
    """
    coloured = [(row, BLUE) for row in scores] + [(row, GREY) for row in references]
    rows = [(row, row.figures["ratio"], colour) for row, colour in coloured if "ratio" in row.figures]
    rows = sorted((row for row in rows if row[1].known), key=lambda row: row[1].mean)
    means, intervals = _means_and_intervals([ratio for _, ratio, _ in rows])
    figure = Figure(figsize=(8, 1.7 + 0.35 * len(rows)))
    axes = figure.add_subplot()
    colours = [colour for *_, colour in rows]
    axes.barh(range(len(rows)), means - 1, left=1, xerr=intervals, color=colours, alpha=0.75, error_kw={"ecolor": INK})
    ends = means + intervals
    for judge, marker in zip(JUDGES, MARKERS, strict=False):
        found, _ = _means_and_intervals([row.figures.get(f"{judge}_ratio", ratio) for row, ratio, _ in rows])
        ends = np.maximum(ends, found)
        axes.plot(found, range(len(rows)), marker, color=INK, markersize=4, fillstyle="none", label=judge)
    for index, (_, ratio, _) in enumerate(rows):
        axes.annotate(ratio.text(2), (ends[index], index), (7, 0), textcoords="offset points", va="center")
    axes.axvline(1, color=ORANGE, linewidth=2)
    axes.set_yticks(range(len(rows)), [row.name for row, *_ in rows])
    axes.invert_yaxis()
    axes.margins(x=0.2)
    _log_axis(axes, "x")
    axes.set_xlabel("bars: geometric mean over the judges; 1 is a fresh draw of real digits")
    axes.legend(ncols=len(JUDGES), loc="lower right", bbox_to_anchor=(1, 1))
    axes.set_title("Fréchet ratio", loc="left")
    return figure


@styled
def truncation(levels: Sequence[float], scores: Sequence[Scores]) -> Figure:
    """The curves in TRUNCATION against the truncation level."""
    figure = Figure(figsize=(8, 3.2))
    panels = figure.subplots(1, len(TRUNCATION))
    for axes, (label, curves) in zip(panels, TRUNCATION.items(), strict=True):
        for (name, key), colour in zip(curves.items(), (BLUE, ORANGE, INK), strict=False):
            means, intervals = _means_and_intervals([row.figures[key] for row in scores])
            axes.errorbar(levels, means, yerr=intervals, color=colour, marker="o", markersize=3, label=name)
        axes.set(xlabel="truncation", ylabel=label)
        axes.grid()
        if len(curves) > 1:
            axes.legend()
    _log_axis(panels[0], "y")
    return figure


def _means_and_intervals(estimates: Sequence[Estimate]) -> tuple[Float64, Float64]:
    means = np.array([estimate.mean for estimate in estimates], float)
    return means, np.array([estimate.interval or 0 for estimate in estimates], float)


def _smooth(values: NDArray[Any]) -> Float64:
    """The moving average of values (N,), (N - window + 1,)."""
    window = max(1, len(values) // WINDOWS)
    return np.convolve(values, np.full(window, 1 / window), "valid") if len(values) else values


def _log_axis(axes: Axes, name: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, after plotting: from below 1 to above 2, with ticks at 1, 2, 5, ... or 1, 10, ..."""
    axes.set(**{f"{name}scale": "log"})
    low, high = axes.get_xlim() if name == "x" else axes.get_ylim()
    low, high = min(low, 0.9), max(high, 2.2)
    axes.set(**{f"{name}lim": (low, high)})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(NullLocator())
