"""Evaluate how close a model's images are to real ones: python training/evaluate.py MODEL_DIR|NAME|all.

The whole evaluation: measure models and references, write the report, cards and plots. In training/evaluation:

judges.py, networks.py      the judges, networks that provide features
metrics.py                  the metrics, as functions on arrays
baseline.py                 the real images to compare with
measure.py, handwriting.py  models and references, and the measurement of one of them
report.py, charts.py        the results as data, tables and plots
"""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.errors import run_script

    run_script("training.evaluate")

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from rich.console import Console
from rich.markdown import Markdown

import mnistgen
from mnistgen._model import ModelCard, ModelDirectory, find
from mnistgen._runtime import usable_cpus
from training.data import DataSet
from training.errors import EvaluationError
from training.evaluation import charts
from training.evaluation import report as reports
from training.evaluation.baseline import Baseline, Form
from training.evaluation.handwriting import measure_handwriting
from training.evaluation.measure import REFERENCES, Measurement, Model, loaded, measure_once, summarise
from training.evaluation.metrics import copies
from training.evaluation.report import Report, Scores
from training.sources import Ink

LIBRARIES = ("mnistgen", "onnxruntime", "torch", "numpy", "scipy", "scikit-learn")


def main(
    targets: Annotated[list[str], typer.Argument(metavar="MODEL_DIR|NAME|all", help="The models to evaluate.")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.md, report.json and plots.", show_default="reports/MODEL")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Use one seed and held-out training images; skip the slow metrics.")
    ] = False,
    write_card: Annotated[bool, typer.Option("--write-card", help="Write the results into the models' cards.")] = False,
    samples: Annotated[
        # Judges have up to 128 features, whose covariance is measured.
        int | None, typer.Option(min=129, help="Generated images per seed.", show_default="as many as real ones")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of sampling seeds.", show_default="5, with --quick 1")
    ] = None,
    data: Annotated[
        str, typer.Option(help="The real images: as for training/train.py, a name, a folder or an .npz file.")
    ] = "mnist",
    ink: Annotated[Ink, typer.Option(help="Whether the ink in the images is light or dark.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes.", show_default="the available CPUs")] = usable_cpus(),
) -> None:
    """Evaluate how close the images of models are to real ones, next to references evaluated in the same way.

    Example: python training/evaluate.py dcgan --report reports/dcgan
    """
    folder = report or Path("reports") / (Path(targets[0]).name if len(targets) == 1 else "several")
    if write_card and quick:
        raise EvaluationError("--write-card: cards contain results of the full evaluation; omit --quick")
    models = locate(targets)
    for model in models if write_card and data == "mnist" else ():
        if model.card.data["name"] != "mnist":
            raise EvaluationError(
                f"--write-card: {model.card.name} was not trained on MNIST; pass its images with --data"
            )
    assess(
        models,
        folder,
        form="quick" if quick else "full",
        samples=samples,
        seeds=seeds,
        write_card=write_card,
        data=data,
        ink=ink,
        workers=workers,
    )
    print(f"\n{folder / 'report.md'}: tables and plots")


def locate(targets: list[str]) -> list[ModelDirectory]:
    """The validated model directories of the targets, without duplicates."""
    names = [name for target in targets for name in (mnistgen.models() if target == "all" else [target])]
    return [find(name) for name in dict.fromkeys(names)]


def assess(
    models: Sequence[ModelDirectory],
    folder: Path,
    *,
    form: Form = "full",
    samples: int | None = None,
    seeds: int | None = None,
    write_card: bool = False,
    data: str,
    ink: Ink = "auto",
    workers: int,
) -> Report:
    """Measure models and references on a data set, print the tables, and write report.md, report.json and plots.

    `samples` is the number of generated images per seed, more than 128, by default that of the target; `seeds` is 5 by
    default for the full form, and 1 for the quick one. `data` and `ink` are what `load_data` takes. With write_card,
    the figures are also written into the models' cards; for a quantized model together with those of its float32 form,
    if that is among the models. Measurements are cached. Raises EvaluationError, DataError or OutputError.
    """
    sources = named(models)
    folder.mkdir(parents=True, exist_ok=True)  # now, so that a mistake shows before hours of measurements
    found, real = loaded(data, ink, form)
    count = samples or len(real.target.images)
    used = tuple(range(1, (seeds or (5 if form == "full" else 1)) + 1))
    tasks = [(source, seed) for source in sources for seed in used] + [(source, used[0]) for source in REFERENCES]
    measurements = Parallel(n_jobs=workers, return_as="generator")(
        delayed(measure_once)(source, seed, count, data, ink, form) for source, seed in tasks
    )
    measured: dict[str, list[Measurement]] = {}
    for (source, seed), measurement in zip(tasks, measurements, strict=True):
        measured.setdefault(source.name, []).append(measurement)
        print(f"{source.name}, seed {seed}: measured", file=sys.stderr, flush=True)
    rows = [summarise(name, each) for name, each in measured.items()]
    styles = {s.name: measure_handwriting(s, real.identity, found, real) for s in sources if form == "full"}
    result = Report(
        form=form,
        data=found.card_entry(),
        samples=count,
        seeds=used,
        target=real.target.name,
        fresh=real.fresh.name,
        references=tuple(rows[len(sources) :]),
        models=tuple(rows[: len(sources)]),
        handwriting={name: figures for name, figures in styles.items() if figures},
        judges={
            name: {
                "fresh_distance": distance,
                "sha256": real.judges.sha256.get(name),
                "accuracy": real.judges.accuracy.get(name),
            }
            for name, distance in real.fresh_distances.items()
        },
        versions={name: version(name) for name in LIBRARIES},
    )
    # On narrower terminals lines wrap, so that no figure is cut off.
    Console(width=120).print(Markdown(reports.tables(result)))
    if write_card:
        write_cards(sources, result)
    reports.write(result, folder, draw_plots(sources, result, folder, found, real))
    return result


def named(models: Sequence[ModelDirectory]) -> list[Model]:
    """The models by the names in their cards, with the path added to names that are not unique."""
    names = [model.card.name for model in models]
    return [
        Model(
            Path(str(model.path)),
            name if names.count(name) == 1 else f"{name} ({model.path})".replace("/", "_"),
            replace(model.card, quality=None),  # so that measurements are found again after their results are written
        )
        for name, model in zip(names, models, strict=True)
    ]


def draw_plots(
    sources: Sequence[Model], report: Report, folder: Path, data: DataSet, real: Baseline
) -> dict[str, list[str]]:
    """Draw the overview, and the plots of each model into a subfolder. Returns title -> paths in the folder."""
    charts.models(report.models, report.references).savefig(folder / "models.png")
    pictures = {"overview": ["models.png"]}
    for source, row in zip(sources, report.models, strict=True):
        (folder / row.name).mkdir(exist_ok=True)
        pictures[row.name] = []
        for name, figure in plots(source, row, report, data, real):
            pictures[row.name].append(f"{row.name}/{name}.png")
            figure.savefig(folder / pictures[row.name][-1])
    return pictures


def plots(source: Model, scores: Scores, report: Report, data: DataSet, real: Baseline) -> Iterator[tuple[str, Figure]]:
    """The plots of a model, with their names, from its scores and its images of the first seed."""
    seed, main, classes = report.seeds[0], real.judges.main, data.classes
    drawn = source.draw(real, seed, report.samples)
    features = real.judges.features(drawn.images, main)
    if classes:
        yield "confident", charts.by_confidence(drawn.images, *real.judges.predict(features), classes)
    yield "map", charts.feature_map(real.target.features[main], real.target.labels, features, seed, classes)
    if real.form == "full":
        training = data.train.images.numpy()
        nearest = copies(drawn.images, training)
        distances = nearest.distances / np.maximum(nearest.own_distances, 1e-3)  # some images may be duplicates
        yield "closest", charts.closest_pairs(drawn.images, training[nearest.neighbours], distances)
    if scores.confusion:
        yield "confusion", charts.confusion(scores.confusion, classes)


def write_cards(sources: Sequence[Model], report: Report) -> None:
    """Write the figures into the models' cards."""
    for source, row in zip(sources, report.models, strict=True):
        pairs = zip(sources, report.models, strict=True)
        float32 = next((other for model, other in pairs if is_float32_form(model.card, source.card)), None)
        replace(source.card, quality=quality(report, row, float32)).write(source.path)


def is_float32_form(card: ModelCard, quantized: ModelCard) -> bool:
    """Whether a card belongs to the float32 form of a quantized model, i.e. the same weights without quantization."""
    preset = quantized.preset | {"quantization": None}
    same = (card.name, card.steps, card.data, card.preset) == (quantized.name, quantized.steps, quantized.data, preset)
    return same and quantized.preset.get("quantization") is not None


def quality(report: Report, row: Scores, float32: Scores | None = None) -> dict[str, Any]:
    """The quality entry of a card: each figure with that of real images and of the model's float32 form, if known."""
    real = report.references[0].figures
    handwriting = report.handwriting.get(row.name)
    return {
        "digits": report.samples,
        "seeds": list(report.seeds),
        "interval": "95 %, over the seeds",
        "target": report.target,
        "figures": {
            name: asdict(estimate)
            | {"real_digits": real[name if name in real else "accuracy_score"].mean}  # too few for the large score
            | ({"float32": float32.figures[name].mean} if float32 and name in float32.figures else {})
            for name, estimate in row.figures.items()
        },
        "class_shares": [share.mean for share in row.class_shares],
        "judges": dict(report.judges),
    } | ({"handwriting": dict(handwriting)} if handwriting else {})
