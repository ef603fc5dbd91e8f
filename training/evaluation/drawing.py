"""Draws all plots of an evaluation into a folder."""

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from training.data import Mnist
from training.evaluation import charts, pictures
from training.evaluation.baseline import Baseline
from training.evaluation.figures import Report, Scores
from training.evaluation.judges import classify, features
from training.evaluation.measure import class_counts, find_copies, own_distances
from training.evaluation.sources import Model
from training.run.directory import RunDirectory


def draw_all(
    report: Report, sources: Iterable[Model], mnist: Mnist, real: Baseline, folder: Path
) -> dict[str, dict[str, str]]:
    """Draw all plots into a folder: the overview, and a subfolder per model. Returns title -> key -> relative path."""
    paths: dict[str, dict[str, str]] = {"overview": {"models": "models.png"}}
    save(charts.models(report.models, report.references), folder / "models.png")
    for source, row in zip(sources, report.models, strict=True):
        figures = model_figures(source, row, report.seeds[0], report.samples, mnist, real)
        (folder / row.name).mkdir()
        paths[row.name] = {key: f"{row.name}/{key}.png" for key in figures}
        for key, figure in figures.items():
            save(figure, folder / paths[row.name][key])
    return paths


def model_figures(
    source: Model, scores: Scores, seed: int, samples: int, mnist: Mnist, real: Baseline
) -> dict[str, Figure]:
    """The plots of a model, from its scores and its digits of one seed, by their keys in PICTURES."""
    drawn = source.draw(real, seed, class_counts(real, samples))
    found = features(drawn.images, "classifier")
    predicted = classify(found)
    target = real.target
    figures = {
        "confident": pictures.by_confidence(drawn.images, predicted.labels, predicted.confidence),
        "classes": charts.class_shares(scores.class_shares, list(target.shares), target.name),
        "map": pictures.feature_map(target.features["classifier"], target.labels, found, seed, target.name),
    }
    if real.form == "full":
        nearest = find_copies(drawn, mnist)
        neighbours = mnist.train.images.cpu().numpy()[nearest.neighbours]
        distances = nearest.distances / own_distances(mnist)[nearest.neighbours]
        figures["closest"] = pictures.closest_pairs(drawn.images, neighbours, distances)
    if scores.confusion:
        figures["confusion"] = charts.confusion(scores.confusion)
    if lines := RunDirectory(source.path.parent).read_metrics():  # if the model is the export of a run
        figures["training"] = charts.training_curves(lines)
    return figures


def save(figure: Figure, path: Path) -> None:
    """Write a plot as PNG."""
    figure.savefig(path, format="png")
