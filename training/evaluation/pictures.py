"""Plots that show digits: the most and least confident ones, those closest to training digits, a map of features.

Functions take arrays and return a matplotlib Figure. PICTURES lists all plots, including those of `charts`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from mnistgen._arrays import Int64, UInt8
from training.evaluation.charts import INK, styled

# File name without .png -> caption.
PICTURES: Mapping[str, str] = {
    "confident": "the digits with the lowest and highest confidence of the classifier, and a sample",
    "classes": "the share of each digit",
    "map": "t-SNE of real and generated digits",
    "closest": "the digits closest to a training digit",
    "confusion": "the confusion matrix of the classifier",
    "training": "the held-out Fréchet ratio, losses and scores during training",
    "models": "the Fréchet ratios of all models and references: bars for the geometric mean, markers for the judges",
}

COLUMNS, ROWS = 8, 10  # of a grid of digits
CAPTION = 11  # height in pixels of the caption under each digit
PAIRS, PAIRS_PER_ROW = 20, 10
MAP_POINTS = 1000  # real, and as many generated ones; the time of t-SNE grows superlinearly
MAP_DIMENSIONS = 30
# P. Tol, "Colour Schemes", 2021: "muted"
CLASS_COLOURS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#BBBBBB",
)  # fmt: skip


@styled
def by_confidence(images: UInt8, labels: Int64, confidence: NDArray[np.floating]) -> Figure:
    """The digits of lowest and highest confidence, and an evenly spaced sample, up to 80 each.

    Images are uint8 (N, 28, 28), labels (N,) the classifier's predictions, confidence (N,) their probabilities.
    """
    order = np.argsort(confidence, kind="stable")
    shown = COLUMNS * ROWS
    panels = {
        "least confident": order[:shown],
        "most confident": order[::-1][:shown],
        "an even sample": np.linspace(0, len(images) - 1, min(shown, len(images))).astype(int),
    }
    figure = Figure(figsize=(14, 7.4))
    for axes, (title, indices) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        captions = [f"{labels[index]}  {100 * confidence[index]:.0f} %" for index in indices]
        _draw_digits(axes, images[indices], COLUMNS, captions)
        axes.set_title(title)
    figure.suptitle("Generated digits with the classifier's prediction and confidence")
    return figure


@styled
def closest_pairs(images: UInt8, neighbours: UInt8, distances: NDArray[np.floating]) -> Figure:
    """The 20 generated digits closest to a training digit, each above that digit, closest first.

    Images and their nearest training digits are uint8 (N, 28, 28). Distances (N,) are printed as captions.
    """
    order = np.argsort(distances, kind="stable")[:PAIRS]
    rows = [order[first : first + PAIRS_PER_ROW] for first in range(0, len(order), PAIRS_PER_ROW)]
    figure = Figure(figsize=(7.5, 0.5 + 1.6 * len(rows)))
    for axes, row in zip(figure.subplots(len(rows), 1, squeeze=False).flat, rows, strict=True):
        pairs = np.concatenate([images[row], neighbours[row]], axis=1)  # (N, 28, 28) -> (N, 56, 28)
        _draw_digits(axes, pairs, PAIRS_PER_ROW, [f"{distances[index]:.2f}" for index in row])
    figure.suptitle("Generated digits above their nearest training digits, with distances")
    return figure


def _draw_digits(axes: Axes, images: UInt8, columns: int, captions: Sequence[str]) -> None:
    """Draw images (N, H, W) in a grid, dark on white, with captions below."""
    count, height, width = images.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height + CAPTION, width + 4), np.uint8)
    cells[:count, :height, 2:-2] = images
    cell_height, cell_width = cells.shape[1:]
    tiles = cells.reshape(rows, columns, cell_height, cell_width).swapaxes(1, 2)
    axes.imshow(tiles.reshape(rows * cell_height, columns * cell_width), cmap="gray_r", vmin=0, vmax=255)
    axes.set_axis_off()
    for index, caption in enumerate(captions):
        row, column = divmod(index, columns)
        x, y = (column + 0.5) * cell_width, (row + 1) * cell_height - CAPTION
        axes.text(x, y, caption, fontsize=6, color=INK, ha="center", va="top")


@styled
def feature_map(
    real: NDArray[np.floating],
    real_labels: Int64,
    generated: NDArray[np.floating],
    seed: int,
    name: str = "real digits",
) -> Figure:
    """A t-SNE of real features (N, D), coloured by their labels (N,), and generated ones (M, D).

    Shows up to 1,000 of each, selected by the seed. Raises ValueError for fewer than two points in total. Source:
    L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", 2008.
    """
    draw = np.random.default_rng(seed)
    chosen, drawn = (draw.permutation(len(points))[:MAP_POINTS] for points in (real, generated))
    labels = real_labels[chosen]
    places = _embed(np.concatenate([real[chosen], generated[drawn]]), seed)
    real_places, generated_places = places[: len(chosen)], places[len(chosen) :]
    figure = Figure(figsize=(12, 6))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, strength in zip(panels, (0.8, 0.35), strict=True):
        colours = np.array(CLASS_COLOURS)[labels]
        axes.scatter(*real_places.T, s=9, c=colours, alpha=strength, linewidths=0)
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
    panels[1].scatter(*generated_places.T, s=4, c=INK, linewidths=0)
    for digit in np.unique(labels):
        for axes in panels:
            x, y = np.median(real_places[labels == digit], axis=0)
            text = axes.text(x, y, str(digit), fontsize=15, fontweight="bold", ha="center", va="center", color=INK)
            text.set_path_effects([withStroke(linewidth=3.5, foreground="white")])
    panels[0].set_title(f"{name}, coloured by class")
    panels[1].set_title("generated digits (dark) over the real ones")
    figure.suptitle("t-SNE of the features of real and generated digits: similar digits are close together")
    return figure


def _embed(points: NDArray[np.floating], seed: int) -> NDArray[np.floating]:
    """Embed points (N, D) in two dimensions (N, 2)."""
    dimensions = min(MAP_DIMENSIONS, *points.shape)
    reduced = PCA(dimensions, random_state=seed).fit_transform(points)
    layout = TSNE(perplexity=min(30, (len(points) - 1) / 3), random_state=seed, n_jobs=1)
    places: NDArray[np.floating] = layout.fit_transform(reduced)
    return places
