"""Plots of an evaluation: images, a map of features, the confusion matrix, a comparison of models.

Functions return a matplotlib Figure. The colours, from M. Okabe and K. Ito, "Color Universal Design", 2008, are
distinguishable with colour vision deficiency.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from mnistgen._arrays import Int64, UInt8
from training.evaluation.judges import JUDGES
from training.evaluation.report import Scores

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8C8C8C", "#222222"
MARKERS = "os^Dv<>"  # one per judge
# P. Tol, "Colour Schemes", 2021: "muted"; repeated for more classes
CLASS_COLOURS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#BBBBBB",
)  # fmt: skip
# A decorator that applies this style, independent of the user's matplotlib configuration.
styled = matplotlib.rc_context(
    {
        "figure.dpi": 120,
        "figure.constrained_layout.use": True,
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
COLUMNS, SHOWN, PAIRS = 8, 80, 16  # of grids of images
CAPTION, LONGEST = 11, 10  # height in pixels of the caption under each image, and characters of a name in it
# Real points, and as many generated ones (the time of t-SNE grows superlinearly), and their dimensions after PCA.
MAP_POINTS, MAP_DIMENSIONS = 1000, 30


@styled
def by_confidence(images: UInt8, labels: Int64, confidence: NDArray[np.floating], classes: Sequence[str]) -> Figure:
    """The images of lowest and highest confidence, and an evenly spaced sample, up to 80 each.

    Images are uint8 (N, 28, 28), labels (N,) the classifier's predictions, confidence (N,) their probabilities.
    """
    order = np.argsort(confidence, kind="stable")
    panels = {
        "least confident": order[:SHOWN],
        "most confident": order[::-1][:SHOWN],
        "an even sample": np.linspace(0, len(images) - 1, min(SHOWN, len(images))).astype(int),
    }
    figure = Figure(figsize=(14, 7.4))
    for axes, (title, indices) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        captions = [f"{classes[labels[index]][:LONGEST]}  {100 * confidence[index]:.0f} %" for index in indices]
        _draw_images(axes, images[indices], COLUMNS, captions)
        axes.set_title(title)
    figure.suptitle("Generated images with the classifier's prediction and confidence")
    return figure


@styled
def closest_pairs(images: UInt8, neighbours: UInt8, distances: NDArray[np.floating]) -> Figure:
    """The 16 generated images closest to a training image, each above that image, closest first.

    Images and their nearest training images are uint8 (N, 28, 28). Distances (N,) are printed as captions.
    """
    order = np.argsort(distances, kind="stable")[:PAIRS]
    pairs = np.concatenate([images[order], neighbours[order]], axis=1)  # (N, 28, 28) -> (N, 56, 28)
    figure = Figure(figsize=(7.5, 3.7))
    _draw_images(figure.add_subplot(), pairs, COLUMNS, [f"{distance:.2f}" for distance in distances[order]])
    figure.suptitle("Generated images above their nearest training images, with distances")
    return figure


def _draw_images(axes: Axes, images: UInt8, columns: int, captions: Sequence[str]) -> None:
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
        axes.text(x, y, caption, fontsize=6, color=INK, ha="center", va="top", in_layout=False)  # much faster


@styled
def feature_map(
    real: NDArray[np.floating], labels: Int64, generated: NDArray[np.floating], seed: int, classes: Sequence[str]
) -> Figure:
    """A t-SNE of real features (N, D), coloured by their labels (N,), and generated ones (M, D).

    Shows up to 1,000 of each, selected by the seed. Source: L. van der Maaten and G. Hinton, "Visualizing data using
    t-SNE", 2008.
    """
    draw = np.random.default_rng(seed)
    chosen, drawn = (draw.permutation(len(points))[:MAP_POINTS] for points in (real, generated))
    labels = labels[chosen]
    points = np.concatenate([real[chosen], generated[drawn]])
    reduced = PCA(min(MAP_DIMENSIONS, *points.shape), random_state=seed).fit_transform(points)
    layout = TSNE(perplexity=min(30, (len(points) - 1) / 3), random_state=seed, n_jobs=1)
    real_places, generated_places = np.split(layout.fit_transform(reduced), [len(chosen)])
    figure = Figure(figsize=(7, 7))
    axes = figure.add_subplot(xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    colours = np.array(CLASS_COLOURS)[labels % len(CLASS_COLOURS)]
    axes.scatter(real_places[:, 0], real_places[:, 1], s=9, c=colours, linewidths=0)
    axes.scatter(generated_places[:, 0], generated_places[:, 1], s=4, c=INK, linewidths=0)
    for label in np.unique(labels) if classes else ():
        x, y = np.median(real_places[labels == label], axis=0)
        text = axes.text(x, y, classes[label], fontsize=12, fontweight="bold", ha="center", va="center", zorder=3)
        text.set_path_effects([withStroke(linewidth=3, foreground="white")])
    axes.set_title("t-SNE of the features of real images (coloured by class) and generated ones (dark)")
    return figure


@styled
def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """A heat map of a confusion matrix (K, K), labels (rows) by predictions (columns), normalised by row.

    The diagonal is not coloured, so that the colours show the misclassifications.
    """
    rows = np.asarray(counts, float)
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    size = max(6.0, 0.35 * len(classes))
    figure = Figure(figsize=(1.1 * size, size))
    axes = figure.add_subplot()
    picture = axes.imshow(shares * (1 - np.eye(len(shares))), cmap="Oranges", alpha=0.7)
    for (label, predicted), share in np.ndenumerate(shares):
        if share or label == predicted:
            axes.text(predicted, label, f"{100 * share:.1f}", ha="center", va="center", fontsize=7, in_layout=False)
    axes.set_xticks(range(len(classes)), classes, rotation=0 if sum(map(len, classes)) < 50 else 90)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted by the classifier", ylabel="label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(picture, shrink=0.6, format=PercentFormatter(1, symbol=" %"), label="misclassified")
    axes.set_title("Confusion matrix of the classifier, in % of each label")
    return figure


@styled
def models(scores: Sequence[Scores], references: Sequence[Scores]) -> Figure:
    """The ratios of models and references, overall and for each judge, sorted, on a logarithmic axis."""
    rows = sorted((*scores, *references), key=lambda row: row.figures["ratio"].mean)
    ratios = [row.figures["ratio"] for row in rows]
    means, intervals = (np.array(values) for values in zip(*((r.mean, r.interval or 0) for r in ratios), strict=True))
    places = range(len(rows))
    figure = Figure(figsize=(8, 1.7 + 0.35 * len(rows)))
    axes = figure.add_subplot()
    colours = [GREY if row in references else BLUE for row in rows]
    axes.barh(places, means - 1, left=1, xerr=intervals, color=colours, alpha=0.75, error_kw={"ecolor": INK})
    for judge, marker in zip(JUDGES, MARKERS, strict=False):
        if (key := f"{judge}_ratio") in rows[0].figures:
            found = [row.figures[key].mean for row in rows]
            axes.plot(found, places, marker, color=INK, markersize=4, fillstyle="none", label=judge)
    axes.axvline(1, color=ORANGE, linewidth=2)
    axes.set_yticks(places, [f"{row.name}: {row.figures['ratio'].text(2)}" for row in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="bars: geometric mean over the judges; 1 is a fresh draw of real images")
    axes.legend(ncols=len(JUDGES), loc="lower right", bbox_to_anchor=(1, 1))
    axes.set_title("Fréchet ratio", loc="left")
    return figure
