"""Fixtures: MNIST in small with the bundled judges, and a data set of three shapes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mnistgen._arrays import UInt8
from training.data import DataSet, load_data
from training.evaluation import charts, judges
from training.evaluation.measure import loaded
from training.fit import memory

SMALL_MNIST = str(Path(__file__).resolve().parents[2] / "data")
SHAPES = ("bar", "cross", "ring")


@pytest.fixture(scope="session", autouse=True)
def temporary_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory.store_backend, "location", str(tmp_path_factory.mktemp("evaluation-cache")))
        yield


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small plots; few steps for judges of other data than MNIST; for small MNIST the bundled ones."""
    monkeypatch.setattr(charts, "MAP_POINTS", 50)
    monkeypatch.setattr(charts, "SHOWN", 8)
    for name, steps in {"classifier": 4, "mixer": 20, "autoencoder": 20}.items():
        monkeypatch.setitem(judges.JUDGES, name, judges.JUDGES[name]._replace(steps=steps))
    monkeypatch.setattr(judges, "MNIST_SHA256", load_data(SMALL_MNIST).sha256)
    yield
    loaded.cache_clear()


@pytest.fixture(scope="session")
def mnist() -> DataSet:
    return load_data(SMALL_MNIST)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An .npz file with noisy pictures of three shapes."""
    path = tmp_path_factory.mktemp("shapes") / "shapes.npz"
    (x_train, y_train), (x_test, y_test) = drawn_shapes(600, seed=1), drawn_shapes(150, seed=2)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return str(path)


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same without labels."""
    path = tmp_path_factory.mktemp("unlabelled") / "unlabelled.npz"
    np.savez(path, x_train=drawn_shapes(600, seed=1)[0], x_test=drawn_shapes(150, seed=2)[0])
    return str(path)


def drawn_shapes(count: int, seed: int) -> tuple[UInt8, NDArray[np.str_]]:
    """Images uint8 (N, 28, 28) and the names of their shapes."""
    random = np.random.default_rng(seed)
    y, x = (axis - random.uniform(11, 16, (count, 1, 1)) for axis in np.mgrid[:28, :28])
    radius, width = random.uniform(5, 9, (count, 1, 1)), random.uniform(1, 3, (count, 1, 1))
    inside = np.maximum(abs(x), abs(y)) < radius
    bar, across, ring = abs(x) < width, abs(y) < width, abs(np.hypot(x, y) - radius) < width
    labels = random.integers(0, 3, count)
    ink = np.choose(labels[:, None, None], [inside & bar, inside & (bar | across), ring])
    return (ink * random.integers(200, 256, ink.shape)).astype(np.uint8), np.array(SHAPES)[labels]
