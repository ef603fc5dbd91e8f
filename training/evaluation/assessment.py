"""The whole evaluation: models and references measured, pictures drawn, report and cards written."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from mnistgen.card import ModelCard
from mnistgen.catalog import ModelDirectory
from mnistgen.interruption import signals_kept_back
from training.data import Mnist, load_mnist
from training.errors import EvaluationError
from training.evaluation import charts
from training.evaluation import report as reports
from training.evaluation.baseline import Form, Yardstick, yardstick
from training.evaluation.classifier import FEATURES, WEIGHTS
from training.evaluation.figures import Report, Scores
from training.evaluation.measure import Measurement, measure_once, summarise
from training.evaluation.portrait import portray, save
from training.evaluation.sources import REFERENCES, Model, Source

SEEDS: dict[Form, int] = {"full": 5, "quick": 1}
# Which figure of real digits one stands beside, where there are not enough of them for the same.
BESIDE = {"large_accuracy_score": "accuracy_score"}
LIBRARIES = ("mnistgen", "onnxruntime", "torch", "numpy", "scipy", "scikit-learn")


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
    """Measure models beside the references, print the tables, and write report.md, report.json and pictures.

    By default as many digits a seed as there are real ones, and SEEDS seeds. With write_card the figures go into the
    models' cards too, in a quantized model's beside those of its float32 form where that is measured with it. Raises
    EvaluationError, DataError or OSError; report and cards are written when all is measured.
    """
    if write_card:
        check_writable([model.path for model in models])
    check_writable([folder])
    mnist = load_mnist(data, torch.device("cpu"))
    real = yardstick(mnist, form)
    count = checked_samples(samples, real)
    sources = [Model(model.path, name, model.card.sha256) for name, model in named(models).items()]
    used = checked_seeds(seeds, form)
    scores = measure_all([*sources, *REFERENCES], used, count, form, data, workers)
    result = Report(
        form=form,
        samples=count,
        seeds=used,
        references=tuple(scores[len(sources) :]),
        models=tuple(scores[: len(sources)]),
        classifier=classifier_card(),
        data_sha256=mnist.train.sha256,
        versions={name: version(name) for name in LIBRARIES},
    )
    print(reports.table(result), flush=True)
    with tempfile.TemporaryDirectory(prefix="mnistgen-report-") as drawn:
        pictures = draw_all(result, sources, mnist, real, Path(drawn))
        if write_card:
            rows = list(zip([model.card for model in models], result.models, strict=True))
            for model, (card, row) in zip(models, rows, strict=True):
                float32 = next((other for its, other in rows if is_float32_form(its, card)), None)
                replace(card, quality=quality(result, row, float32)).write(model.path)
        shutil.copytree(drawn, folder, dirs_exist_ok=True)
        reports.write(result, folder, pictures)
    return result


def named(models: Sequence[ModelDirectory]) -> dict[str, ModelDirectory]:
    """The models by the names of their cards; by their paths too where a name comes twice."""
    names = [model.card.name for model in models]
    return {
        name if names.count(name) == 1 else f"{name} ({model.path})".replace("/", "_"): model
        for name, model in zip(names, models, strict=True)
    }


def check_writable(folders: Iterable[Path]) -> None:
    """Refuse before hours of measuring what could not be written after them. Raises EvaluationError."""
    for folder in folders:
        place = folder
        while not place.exists():
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK):
            raise EvaluationError(f"{folder}: expected a folder that can be written, but {place} cannot")


def checked_samples(samples: int | None, real: Yardstick) -> int:
    """How many digits to draw a seed. Raises EvaluationError for fewer than the figures need."""
    if samples is None:
        return len(real.target.images)
    if samples <= FEATURES:
        raise EvaluationError(
            f"samples: expected at least {FEATURES + 1}, for the covariance of {FEATURES} features, got {samples}"
        )
    return samples


def checked_seeds(seeds: int | None, form: Form) -> tuple[int, ...]:
    """The sampling seeds. Raises EvaluationError for fewer than one."""
    count = SEEDS[form] if seeds is None else seeds
    if count < 1:
        raise EvaluationError(f"seeds: expected 1 or more, got {count}")
    return tuple(range(1, count + 1))


def measure_all(
    sources: Sequence[Source], seeds: Sequence[int], samples: int, form: Form, data: Path, workers: int
) -> list[Scores]:
    """The scores of every source, in their order; one task a source and seed, spread over the workers."""
    tasks = list(product(range(len(sources)), seeds))
    found: dict[int, list[Measurement]] = {index: [] for index in range(len(sources))}
    with tqdm(total=len(tasks), unit="measurement", disable=not sys.stderr.isatty()) as bar:
        with signals_kept_back():  # from the workers, which this process ends
            results = Parallel(n_jobs=workers, return_as="generator")(
                delayed(measure_once)(sources[index], seed, samples, form, data) for index, seed in tasks
            )
        with closing(results):  # which ends the workers
            for (index, seed), measurement in zip(tasks, results, strict=True):
                found[index].append(measurement)
                bar.update()
                if bar.disable:
                    print(f"{sources[index].name}, seed {seed}: measured", file=sys.stderr, flush=True)
    return [summarise(sources[index], found[index]) for index in range(len(sources))]


def draw_all(
    result: Report, sources: Sequence[Model], mnist: Mnist, real: Yardstick, folder: Path
) -> dict[str, dict[str, str]]:
    """Draw all pictures into a folder: one folder a model, and the overview. Title -> key -> path from the folder."""
    paths: dict[str, dict[str, str]] = {"overview": {"models": "models.png"}}
    save(charts.models(result.models, result.references), folder / "models.png")
    for source, row in zip(tqdm(sources, unit="model", disable=not sys.stderr.isatty()), result.models, strict=True):
        figures = portray(source, row, result.seeds[0], result.samples, mnist, real)
        (folder / row.name).mkdir()
        paths[row.name] = {key: f"{row.name}/{key}.png" for key in figures}
        for key, figure in figures.items():
            save(figure, folder / paths[row.name][key])
    return paths


def classifier_card() -> dict[str, Any]:
    """What a report says of the classifier."""
    card = json.loads(WEIGHTS.with_suffix(".json").read_text())
    return {"sha256": card["sha256"], "accuracy": card["accuracy"]["test"]}


def is_float32_form(card: ModelCard, quantized: ModelCard) -> bool:
    """Whether a card speaks of the float32 form of a quantized model: of the same weights, exported without."""
    alike = ("name", "steps", "seed", "data", "parameters")
    return (
        quantized.preset.get("quantization") is not None
        and card.preset == quantized.preset | {"quantization": None}
        and all(getattr(card, field) == getattr(quantized, field) for field in alike)
    )


def quality(result: Report, row: Scores, float32: Scores | None = None) -> dict[str, Any]:
    """What a model's card says of its digits: every figure beside that of real digits, and of the model in float32."""
    real = result.references[0].figures
    return {
        "digits": result.samples,
        "seeds": list(result.seeds),
        "interval": "95 %, over the seeds",
        "figures": {
            name: estimate.to_json()
            | {"real_digits": real[BESIDE.get(name, name)].mean}
            | ({"float32": float32.figures[name].mean} if float32 and float32.figures[name].known else {})
            for name, estimate in row.figures.items()
            if estimate.known
        },
        "class_shares": [share.mean for share in row.class_shares],
        "classifier_sha256": result.classifier["sha256"],
        "test_accuracy_of_classifier": result.classifier["accuracy"],
    }
