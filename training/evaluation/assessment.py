"""The whole evaluation: measure models and references, write the report and cards, draw the plots."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, track

from mnistgen._model import ModelCard, ModelDirectory
from training.data import Mnist, load_mnist
from training.errors import EvaluationError
from training.evaluation import report as reports
from training.evaluation.baseline import Baseline, Form, baseline
from training.evaluation.drawing import draw_all
from training.evaluation.figures import JudgeRecord, Report, Scores, to_json
from training.evaluation.handwriting import measure_handwriting
from training.evaluation.judges import JUDGES, MAX_FEATURES, checksums, weights_path
from training.evaluation.measure import Measurement, measure_once, summarise
from training.evaluation.sources import REFERENCES, Model, Source
from training.interruption import signals_kept_back

SEEDS: dict[Form, int] = {"full": 5, "quick": 1}
# The figure of real digits to compare with, where there are too few real digits for the same figure.
REAL_FIGURE = {"large_accuracy_score": "accuracy_score"}
LIBRARIES = ("mnistgen", "onnxruntime", "torch", "numpy", "scipy", "scikit-learn")
WIDTH = 120  # characters; on narrower terminals lines wrap, so that no figure is cut off


def assess(
    models: Sequence[ModelDirectory],
    folder: Path,
    *,
    form: Form = "full",
    samples: int | None = None,
    seeds: int | None = None,
    write_card: bool = False,
    data: Path,
    workers: int,
) -> Report:
    """Measure models and references, print the tables, and write report.md, report.json and plots.

    `samples` is the number of generated digits per seed, by default that of the target digits; `seeds` defaults to
    SEEDS. With write_card, the figures are also written into the models' cards; for a quantized model together with
    those of its float32 form, if that is among the models. Report and cards are written after all measurements, then
    the plots. Raises EvaluationError, DataError or OutputError.
    """
    if samples is not None and samples <= MAX_FEATURES:
        raise EvaluationError(
            f"samples: expected at least {MAX_FEATURES + 1}, for the covariance of {MAX_FEATURES} features, "
            f"got {samples}"
        )
    if seeds is not None and seeds < 1:
        raise EvaluationError(f"seeds: expected 1 or more, got {seeds}")
    sources = [Model(Path(str(model.path)), name, model.card.sha256) for name, model in unique_names(models).items()]
    check_writable([*(source.path for source in sources if write_card), folder])
    mnist = load_mnist(data, torch.device("cpu"))
    real = baseline(mnist, form)
    count = samples or len(real.target.images)
    used = tuple(range(1, (seeds or SEEDS[form]) + 1))
    scores = measure_all([*sources, *REFERENCES], used, count, form, data, workers)
    result = Report(
        form=form,
        samples=count,
        seeds=used,
        target=real.target.name,
        fresh=real.fresh.name,
        references=tuple(scores[len(sources) :]),
        models=tuple(scores[: len(sources)]),
        handwriting=handwriting(sources, mnist) if form == "full" else {},
        judges=judge_records(real),
        data_sha256=mnist.train.sha256,
        versions={name: version(name) for name in LIBRARIES},
    )
    show(result)
    if write_card:
        rows = list(zip([model.card for model in models], result.models, strict=True))
        for source, (card, row) in zip(sources, rows, strict=True):
            float32 = next((other for other_card, other in rows if is_float32_form(other_card, card)), None)
            replace(card, quality=quality(result, row, float32)).write(source.path)
    reports.write(result, folder, {})
    with tempfile.TemporaryDirectory(prefix="mnistgen-report-") as drawn:
        console = Console(stderr=True)
        shown = track(sources, "drawn", console=console, disable=not console.is_terminal)
        pictures = draw_all(result, shown, mnist, real, Path(drawn))
        shutil.copytree(drawn, folder, dirs_exist_ok=True)
    reports.write(result, folder, pictures)
    return result


def show(result: Report) -> None:
    """Print the tables and notes."""
    Console(width=WIDTH).print(*reports.tables(result), *reports.notes(result), sep="\n", highlight=False, markup=False)


def unique_names(models: Sequence[ModelDirectory]) -> dict[str, ModelDirectory]:
    """The models by the names in their cards, with the path added to names that are not unique."""
    names = [model.card.name for model in models]
    return {
        name if names.count(name) == 1 else f"{name} ({model.path})".replace("/", "_"): model
        for name, model in zip(names, models, strict=True)
    }


def check_writable(folders: Iterable[Path]) -> None:
    """Raise EvaluationError for folders that cannot be written, before hours of measurements."""
    for folder in folders:
        existing = folder
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise EvaluationError(f"{folder}: expected a writable folder, but {existing} is not writable")


def measure_all(
    sources: Sequence[Source], seeds: Sequence[int], samples: int, form: Form, data: Path, workers: int
) -> list[Scores]:
    """The scores of each source, in order. Distributes one task per source and seed over the workers."""
    tasks = [(index, seed) for index, source in enumerate(sources) for seed in seeds[: source.seeds]]
    found: dict[int, list[Measurement]] = {index: [] for index in range(len(sources))}
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("measured", total=len(tasks))
        with signals_kept_back():  # from the workers; this process terminates them
            results = Parallel(n_jobs=workers, return_as="generator")(
                delayed(measure_once)(sources[index], seed, samples, form, data) for index, seed in tasks
            )
        with closing(results):  # terminates the workers
            for (index, seed), measurement in zip(tasks, results, strict=True):
                found[index].append(measurement)
                progress.advance(bar)
                if progress.disable:
                    print(f"{sources[index].name}, seed {seed}: measured", file=sys.stderr, flush=True)
    return [summarise(sources[index], found[index]) for index in range(len(sources))]


def handwriting(sources: Iterable[Model], mnist: Mnist) -> dict[str, dict[str, float]]:
    """The figures of attributes and encoders, by the name of each model that has them."""
    figures = {source.name: measure_handwriting(source, mnist) for source in sources}
    return {name: found for name, found in figures.items() if found}


def judge_records(real: Baseline) -> dict[str, JudgeRecord]:
    """The judges' entries for a report."""
    accuracies = {
        name: json.loads(weights_path(name).with_suffix(".json").read_text())["accuracy"] for name in checksums()
    }
    return {
        name: JudgeRecord(
            real.fresh_distances[name], checksums().get(name), (accuracies.get(name) or {"test": None})["test"]
        )
        for name in JUDGES
    }


def is_float32_form(card: ModelCard, quantized: ModelCard) -> bool:
    """Whether a card belongs to the float32 form of a quantized model, i.e. the same weights without quantization."""
    same = ("name", "steps", "seed", "data", "parameters")
    return (
        quantized.preset.get("quantization") is not None
        and card.preset == quantized.preset | {"quantization": None}
        and all(getattr(card, field) == getattr(quantized, field) for field in same)
    )


def quality(result: Report, row: Scores, float32: Scores | None = None) -> dict[str, Any]:
    """The quality entry of a card: each figure with that of real digits and of the model's float32 form, if known."""
    real = result.references[0].figures
    return {
        "digits": result.samples,
        "seeds": list(result.seeds),
        "interval": "95 %, over the seeds",
        "target": result.target,
        "figures": {
            name: asdict(estimate)
            | {"real_digits": real[REAL_FIGURE.get(name, name)].mean}
            | ({"float32": float32.figures[name].mean} if float32 and float32.figures[name].known else {})
            for name, estimate in row.figures.items()
            if estimate.known
        },
        "class_shares": [share.mean for share in row.class_shares],
        "judges": to_json(result.judges),
    } | ({"handwriting": dict(found)} if (found := result.handwriting.get(row.name)) else {})
