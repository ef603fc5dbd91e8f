"""The moment distance, compared to the exact Fréchet distance; feature networks; augmentation."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training import features
from training.comparison import Comparison, Moments
from training.config import EMA, MomentMatching
from training.data import Images, load_data
from training.device import choose
from training.evaluation.metrics import distance, gaussian
from training.features import POOL, FeatureNetwork, fit_networks
from training.fit import memory, warp

CPU = choose("cpu", precision="float32", threads=1)
COUNT = 20_000
REAL = torch.randn(COUNT, 5, generator=torch.Generator().manual_seed(1)) @ torch.tensor([1.0, 2, 3, 4, 5]).diag()
GENERATED = REAL @ (torch.eye(5) + 0.01 * torch.randn(5, 5, generator=torch.Generator().manual_seed(2))) + 0.02
WEIGHTS = torch.full((1, COUNT), 1 / COUNT)


def exact(values: Tensor, real: Tensor) -> float:
    return distance(gaussian(values.numpy()), gaussian(real.numpy()))


def test_distance_and_its_gradient_approximate_those_of_frechet() -> None:
    moments, values, before = Moments([REAL], memory=1), GENERATED.clone().requires_grad_(), exact(GENERATED, REAL)
    moments.update(GENERATED[None], WEIGHTS)
    assert moments.distances().item() == pytest.approx(before, rel=0.05)
    (slope,) = torch.autograd.grad(moments.loss(values[None], WEIGHTS).sum(), values)
    step = 1e-3 * COUNT  # the gradient is of a mean
    fallen = before - exact(GENERATED - step * slope, REAL)
    assert fallen == pytest.approx(step * slope.square().sum().item(), rel=0.05)


def test_running_means_average_over_batches() -> None:
    moments = Moments([REAL], memory=1000)
    for batch in (GENERATED, REAL):
        moments.update(batch[None], WEIGHTS)
    assert moments.distances().item() == pytest.approx(exact(torch.cat([GENERATED, REAL]), REAL), rel=0.1)


# --- feature networks -------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def small_pool_and_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One feature network for each task; a temporary cache."""
    names = ("deep-means", "dense-autoencoder", "untrained-code")
    monkeypatch.setattr(features, "POOL", {name: POOL[name] for name in names})
    monkeypatch.setattr(memory.store_backend, "location", str(tmp_path))


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_data(str(Path(__file__).resolve().parents[1] / "data")).train


def test_feature_networks_learn_and_are_cached(digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    networks, pixels = fit_networks(digits, 8, CPU, seed=3), digits.batch(torch.arange(512), (0.0, 1.0))
    for network in networks[:2]:
        untrained = FeatureNetwork(network.shape, 10).loss(digits.images, digits.labels)
        assert network.loss(digits.images, digits.labels) < 0.4 * untrained
    monkeypatch.delattr(features, "fit")
    for network, again in zip(networks, fit_networks(digits, 8, CPU, seed=3), strict=True):
        assert torch.equal(network.groups(pixels)[-1], again.groups(pixels)[-1])


def test_unlabelled_images_have_no_classifiers(digits: Images) -> None:
    unlabelled = replace(digits, labels=torch.zeros_like(digits.labels), classes=())
    assert [network.shape.task for network in fit_networks(unlabelled, 1, CPU, seed=3)] == ["pixels", "none"]


@pytest.mark.parametrize("by_class", [False, True])
def test_comparison_prefers_real_images(by_class: bool, digits: Images) -> None:
    config = MomentMatching(steps=1, batch_size=100, learning_rate=1e-4, memory=100, ema=EMA(half_life=1.0), epochs=1)
    network = FeatureNetwork(POOL["untrained-means"], 10).frozen()
    comparison = Comparison(network.groups, digits, config, CPU, by_class=by_class)
    sorted_by_class = torch.cat([(digits.labels == label).nonzero()[:10, 0] for label in range(10)])
    distances = []
    for pixels in (digits.batch(sorted_by_class, (0.0, 1.0)), torch.rand(100, 1, 28, 28)):
        comparison.update(comparison.features(pixels))
        distances.append(comparison.distance().item())
    assert distances[0] < 0.1 * distances[1]


def test_warp_moves_ink_within_its_bounds() -> None:
    images = torch.zeros(500, 28, 28)
    images[:, 13:15, 13:15] = 255
    assert torch.allclose(warp(images, 0.0), images, atol=1e-3)
    columns = warp(images, 1.0).sum(dim=1)
    centres = (columns * torch.arange(28)).sum(dim=1) / columns.sum(dim=1)
    assert 1.5 < (centres - 13.5).abs().max() < 2.6  # two pixels, and up to 12 % smaller
