"""Figures of a run, from its metrics and sample grids: loss curves, an animation and a strip."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import mnistgen
from mnistgen._files import whole_file
from mnistgen._pictures import CELL
from training.errors import TrainingError
from training.evaluation.charts import BLUE, GREY, INK, ORANGE, styled
from training.run import Run

GIF_FRAMES = 60  # at most
GIF_FRAME_MS, GIF_LAST_MS = 120, 2_000
WINDOWS = 100  # moving-average windows per loop
CURVES: dict[str, Mapping[str, str]] = {  # axes label -> curve label -> key in metrics.jsonl
    "loss": {"discriminator": "discriminator_loss", "generator": "generator_loss"},
    "score, 0 to 1": {"real images": "real_score", "generated images": "fake_score"},
    "distillation loss": {"squared error to the teacher's": "distillation_loss"},
    "moment distance": {"over the feature networks": "moment_distance"},
    "reconstruction error": {"squared error of real images": "reconstruction_error"},
}


def draw_figures(run: Run) -> None:
    """Draw losses.png, progress.gif and strip.png. Raises TrainingError for damaged sample grids."""
    with whole_file(run.path / "losses.png") as file:
        training_curves(run.read_metrics()).savefig(file, format="png")
    paths = run.sample_paths()
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(GIF_FRAMES, len(paths))).astype(int))
    frames = _grids([paths[index] for index in chosen])
    durations = [GIF_FRAME_MS] * (len(frames) - 1) + [GIF_LAST_MS]
    with whole_file(run.path / "progress.gif") as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    rows = _grids([paths[index] for index in sorted({0, *range(4, len(paths), 5), len(paths) - 1})])
    mnistgen.save(run.path / "strip.png", np.concatenate([np.asarray(grid)[:CELL] for grid in rows]))


@styled
def training_curves(metrics: Sequence[Mapping[str, Any]]) -> Figure:
    """The held-out ratio and the metrics in CURVES, if logged, against training time in minutes.

    `metrics` are the lines of metrics.jsonl. Pale curves are the logged values, dark ones a moving average within each
    loop. Dotted lines mark the starts of loops.
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
    starts = {line["loop"]: line["minutes"] for line in reversed(metrics) if line["loop"] != metrics[0]["loop"]}
    for axes in figure.axes:
        for minutes in starts.values():
            axes.axvline(minutes, color=GREY, linewidth=1, linestyle=":")
    figure.axes[-1].set_xlabel("minutes")
    figure.suptitle("Training: logged values (pale) and moving averages (dark)")
    return figure


def _draw_curve(axes: Axes, lines: Sequence[Mapping[str, Any]], key: str, name: str, colour: str) -> None:
    """Plot a metric against time, separately for each loop."""
    for index, loop in enumerate(sorted({line["loop"] for line in lines})):
        of_loop = [line for line in lines if line["loop"] == loop]
        minutes, values = (np.array([line[column] for line in of_loop], float) for column in ("minutes", key))
        axes.plot(minutes, values, color=colour, alpha=0.25, linewidth=0.7)
        label = None if index else name
        axes.plot(_smooth(minutes), _smooth(values), color=colour, linewidth=1.3, label=label)


def _draw_ratios(axes: Axes, lines: Sequence[Mapping[str, Any]]) -> None:
    """Plot the ratio against time, with its best point marked."""
    minutes, ratios = (np.array([line[key] for line in lines], float) for key in ("minutes", "ratio"))
    axes.plot(minutes, ratios, color=INK, marker="o", markersize=3)
    best = int(np.argmin(ratios))
    axes.plot(minutes[best], ratios[best], "o", color=BLUE, markersize=7, label=f"best: {ratios[best]:.2f}")
    axes.axhline(1, color=ORANGE, linewidth=2, label="a fresh draw of real images")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_ylabel("held-out Fréchet ratio")
    axes.grid()
    axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))


def _smooth(values: NDArray[Any]) -> NDArray[np.float64]:
    """The moving average of values (N,), (N - window + 1,)."""
    window = max(1, len(values) // WINDOWS)
    return np.convolve(values, np.full(window, 1 / window), "valid") if len(values) else values


def _grids(paths: Sequence[Path]) -> list[Image.Image]:
    grids = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                grids.append(picture.convert("L"))
        except OSError as error:
            raise TrainingError(f"{path}: no sample grid ({error}); remove it, and resume with --resume") from None
    return grids
