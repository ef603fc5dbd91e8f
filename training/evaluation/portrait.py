"""All pictures of one model, drawn into a folder."""

from pathlib import Path

from matplotlib.figure import Figure

from training.data import Mnist
from training.evaluation import charts, pictures
from training.evaluation.baseline import Yardstick
from training.evaluation.features import judge
from training.evaluation.figures import Scores
from training.evaluation.measure import class_counts, look_for_copies, own_distances
from training.evaluation.sources import Model
from training.run.directory import RunDirectory


def portray(source: Model, scores: Scores, seed: int, samples: int, mnist: Mnist, real: Yardstick) -> dict[str, Figure]:
    """The pictures of the digits of one seed and of the scores, by their keys in PICTURES."""
    drawn = source.draw(mnist, seed, class_counts(real, samples))
    judged = judge(drawn.images)
    found = look_for_copies(drawn, mnist)
    neighbours = mnist.train.images.cpu().numpy()[found.neighbours]
    figures = {
        "confident": pictures.by_confidence(drawn.images, judged.labels, judged.confidence),
        "classes": charts.class_shares(scores.class_shares, list(real.target.shares)),
        "map": pictures.feature_map(real.target.features, real.target.labels, judged.features, seed),
        "closest": pictures.closest_pairs(
            drawn.images, neighbours, found.distances / own_distances(mnist)[found.neighbours]
        ),
    }
    if scores.class_ratios and any(ratio.known for ratio in scores.class_ratios):
        figures["class_ratios"] = charts.class_ratios(scores.class_ratios)
    if scores.confusion:
        figures["confusion"] = charts.confusion(scores.confusion)
    if lines := RunDirectory(source.path.parent).read_metrics():  # the export of a run lies in its directory
        figures["training"] = charts.training_curves(lines)
    return figures


def save(figure: Figure, path: Path) -> None:
    """Write a picture as PNG."""
    figure.savefig(path, format="png")
