"""Fixtures: a temporary cache, small MNIST, and small presets for train.py."""

from collections.abc import Iterator

import pytest

from tests.training.small import DATA, SMALL, SMALL_EPOCH, SMALL_POOL
from training.data import DataSet, load_data
from training.device import Compute, choose, make_deterministic
from training.evaluation import judges
from training.fit import memory
from training.presets import PRESETS
from training.sources import NAMED


@pytest.fixture(scope="session", autouse=True)
def temporary_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory.store_backend, "location", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def compute() -> Compute:
    chosen = choose("cpu", threads=1)
    make_deterministic(chosen)
    return chosen


@pytest.fixture(scope="session")
def mnist() -> DataSet:
    return load_data(DATA)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_small(patch)
        yield


def use_small(patch: pytest.MonkeyPatch) -> None:
    """Train small presets, with the judges of MNIST for all data; export no attribute editors, which take long."""
    patch.setattr("training.presets.PRESETS", PRESETS | SMALL)
    patch.setattr("training.evaluation.baseline.judges_for", lambda data: judges.bundled())
    patch.setattr("training.train.EPOCH", SMALL_EPOCH)
    patch.setitem(NAMED, "mnist", NAMED["mnist"]._replace(sha256=load_data(DATA).sha256))
    patch.setattr("training.features.POOL", SMALL_POOL)
    patch.setattr("export.build.fit_attributes", lambda *_: None)
    patch.setenv("OMP_NUM_THREADS", "1")
