"""Measure how close a model's digits are to real ones: python training/evaluate.py MODEL_DIR|NAME|all."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Annotated, Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository, whatever folder this is called from

import torch
import typer
from joblib import Parallel, delayed
from tqdm import tqdm

import mnistgen
from mnistgen import MnistgenError
from mnistgen.catalog import ModelDirectory, find
from mnistgen.cpus import usable_cpus
from training.data import Mnist, load_mnist
from training.errors import EvaluationError, TrainingError
from training.evaluation import charts
from training.evaluation import report as reports
from training.evaluation.classifier import FEATURES, WEIGHTS
from training.evaluation.figures import Report, Scores
from training.evaluation.measure import Measurement, measure_once, summarise
from training.evaluation.portrait import portray, save
from training.evaluation.sources import REFERENCES, Model, Source
from training.evaluation.yardstick import Form, Yardstick, yardstick

SEEDS: dict[Form, int] = {"full": 5, "quick": 1}
LIBRARIES = ("mnistgen", "onnxruntime", "torch", "numpy", "scipy", "scikit-learn")


def main(
    targets: Annotated[list[str], typer.Argument(metavar="MODEL_DIR|NAME|all", help="Which models.")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.md, report.json and pictures.", show_default="reports/MODEL")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed, against held-out training digits, without what takes long.")
    ] = False,
    write_card: Annotated[bool, typer.Option("--write-card", help="Put the figures into the models' cards.")] = False,
    samples: Annotated[int | None, typer.Option(help="Digits a seed.", show_default="as many as the real ones")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Sampling seeds: 1 to this.", show_default="5, with --quick 1")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    workers: Annotated[int, typer.Option(help="Processes.", show_default="the CPUs allowed")] = usable_cpus(),
) -> None:
    """Measure how close the digits of models are to real ones, beside references measured the same way.

    Example: python training/evaluate.py dcgan --report reports/dcgan
    """
    form: Form = "quick" if quick else "full"
    folder = report or Path("reports") / (Path(targets[0]).name if len(targets) == 1 else "several")
    try:
        if write_card and quick:
            raise EvaluationError("--write-card: cards hold the figures of the full form; leave --quick away")
        models = locate(targets)
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
                for model, row in zip(models, result.models, strict=True):
                    replace(model.card, quality=quality(result, row)).write(model.path)
            shutil.copytree(drawn, folder, dirs_exist_ok=True)
            reports.write(result, folder, pictures)
    except (TrainingError, MnistgenError) as error:
        sys.exit(f"evaluate.py: {error}")
    except OSError as error:
        sys.exit(f"evaluate.py: {error.filename or folder}: {error.strerror}")
    print(f"\n{folder / 'report.md'}: tables, definitions and pictures")


def locate(targets: Sequence[str]) -> list[ModelDirectory]:
    """The checked model directories that the command line names, each once."""
    names = [name for target in targets for name in (mnistgen.models() if target == "all" else [target])]
    return [find(name) for name in dict.fromkeys(names)]


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
    results = Parallel(n_jobs=workers, return_as="generator")(
        delayed(measure_once)(sources[index], seed, samples, form, data) for index, seed in tasks
    )
    found: dict[int, list[Measurement]] = {index: [] for index in range(len(sources))}
    bar = tqdm(tasks, unit="measurement", disable=not sys.stderr.isatty())
    for (index, seed), measurement in zip(bar, results, strict=True):
        found[index].append(measurement)
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


def quality(result: Report, row: Scores) -> dict[str, Any]:
    """What a model's card says of its digits: every figure beside that of real digits."""
    real = result.references[0].figures
    return {
        "digits": result.samples,
        "seeds": list(result.seeds),
        "interval": "95 %, over the seeds",
        "figures": {
            name: estimate.to_json() | {"real_digits": real[name].mean}
            for name, estimate in row.figures.items()
            if estimate.known
        },
        "class_shares": [share.mean for share in row.class_shares],
        "classifier_sha256": result.classifier["sha256"],
        "test_accuracy_of_classifier": result.classifier["accuracy"],
    }


if __name__ == "__main__":
    typer.run(main)
