"""A real Ray cluster of two workers gives the same bytes as local processes, even if a worker is killed."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._dataset.build import write_dataset
from mnistgen._dataset.engines import on_ray
from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.journal import Record
from mnistgen._dataset.local import LocalStore
from mnistgen._dataset.plan import MNIST_COUNTS, Plan, Task, plan_of
from mnistgen._dataset.work import Job
from mnistgen._latents import draw
from tests.conftest import contents


@dataclass(frozen=True)
class Doomed:
    """A job that kills its worker once, during its third task."""

    job: Job
    marker: Path

    def __call__(self, task: Task) -> Record:
        record = self.job(task)
        if task.number == 2 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return record


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    """A Ray cluster, started once for all tests of this module."""
    from mnistgen._dataset.cluster import cluster, import_ray

    with cluster(None, 2):
        yield import_ray()


@pytest.fixture
def arguments(conditional_model: Path) -> dict[str, Any]:
    return {"n": 130, "test": 20, "seed": 5, "model": conditional_model, "shard_size": 20}


@pytest.mark.parametrize("name", ["idx", "parquet", "webdataset"])
def test_same_bytes_as_local(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    done: list[int] = []
    on_cluster = write_dataset(
        tmp_path / "ray", format=name, **arguments, engine="ray", report=lambda so_far, total: done.append(so_far)
    )
    alone = write_dataset(tmp_path / "local", format=name, **arguments)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert on_cluster.counts == alone.counts
    assert len(done) == 9
    assert done[-1] == 150


def test_killed_worker_only_repeats_its_task(arguments: dict[str, Any], tmp_path: Path) -> None:
    write_dataset(tmp_path / "local", format="idx", **arguments)
    plan, job = planned(arguments, tmp_path / "ray")
    job.store.begin(b"{}", 0)
    FORMATS["idx"].begin(plan, job.store)
    marker = tmp_path / "killed"
    records = sorted(on_ray(Doomed(job, marker), plan.tasks(), workers=2, address=None))
    assert marker.exists()
    assert [record.number for record in records] == list(range(8))
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        made = job.store.file(f"MNIST/raw/{name}")
        assert made.read_bytes() == (tmp_path / "local/MNIST/raw" / name).read_bytes()


def planned(arguments: dict[str, Any], out: Path) -> tuple[Plan, Job]:
    """The plan and job of write_dataset, with the output folder created."""
    card = mnistgen.Generator(arguments["model"]).card
    asked: dict[str, Any] = {"n": 130, "test": 20, "start": 0, "digits": range(10), "balance": "uniform", "seed": 5}
    plan = plan_of(card, "idx", 20, **asked)
    store = LocalStore(out)
    store.scratch.mkdir()
    return plan, Job(plan, store, str(arguments["model"]))


def test_worker_errors_are_raised(arguments: dict[str, Any], tmp_path: Path) -> None:
    plan, job = planned(arguments, tmp_path / "ray")  # whose output folder does not exist
    with pytest.raises(FileNotFoundError):
        list(on_ray(job, plan.tasks(), workers=2, address=None))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in Ray
def test_ray_dataset(conditional_model: Path) -> None:
    from mnistgen.ray import digits

    rows = digits(2_345, seed=5, start=8_000, balance="mnist", model=conditional_model).take_all()
    generator = mnistgen.Generator(conditional_model, threads=1)
    labels = draw(5, 8_000, 2_345, generator.card.latent_dim, MNIST_COUNTS)[1]
    images = generator.sample(labels=labels, seed=5, start=8_000)
    found = sorted((row["label"], row["image"].tobytes()) for row in rows)
    assert rows[0]["image"].dtype == np.uint8
    assert found == sorted((label, image.tobytes()) for label, image in zip(labels.tolist(), images, strict=True))
