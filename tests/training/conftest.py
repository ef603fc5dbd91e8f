"""Small presets and a few hundred real digits."""

from collections.abc import Iterator

import pytest
import torch

from tests.training.small import DATA, FILES, SMALL
from training.compute import Compute, choose, make_deterministic
from training.data import Digits, Mnist, load_mnist
from training.evaluation.yardstick import yardstick
from training.loop import Scoring
from training.preset import Preset


@pytest.fixture(scope="session")
def compute() -> Compute:
    chosen = choose("cpu", threads=1)
    make_deterministic(chosen)
    return chosen


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder for the tests alone; processes that they start have it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    return load_mnist(DATA, torch.device("cpu"), FILES)


@pytest.fixture(scope="session")
def digits(mnist: Mnist) -> Digits:
    return mnist.train


@pytest.fixture(scope="session")
def scoring(mnist: Mnist) -> Scoring:
    held_out = yardstick(mnist, "quick")
    return Scoring(held_out.ratio, torch.from_numpy(held_out.target.labels))


@pytest.fixture(params=["conv", "mlp-dropout", "mlp"])
def preset(request: pytest.FixtureRequest) -> Preset:
    """A preset of each kind, cut down to seconds."""
    return SMALL[request.param]
