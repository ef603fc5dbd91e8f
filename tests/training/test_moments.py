"""The moment distance, compared to the exact Fréchet distance."""

import pytest
import torch
from torch import Tensor

from training.evaluation import frechet
from training.objectives.moments import Moments

COUNT, SIZE = 20_000, 5


def exact(features: Tensor, real: Tensor) -> float:
    return frechet.distance(frechet.gaussian(features.numpy()), frechet.gaussian(real.numpy()))


@pytest.fixture
def real() -> Tensor:
    source = torch.Generator().manual_seed(1)
    return torch.randn(COUNT, SIZE, generator=source) @ torch.randn(SIZE, SIZE, generator=source)


@pytest.fixture
def generated(real: Tensor) -> Tensor:
    """The real features, slightly transformed and shifted."""
    turn = torch.eye(SIZE) + 0.01 * torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    return real @ turn + 0.02


def uniform(count: int) -> Tensor:
    return torch.full((1, count), 1 / count)


def test_approximates_frechet_distance(real: Tensor, generated: Tensor) -> None:
    moments = Moments([real], memory=1)
    moments.update(generated[None], uniform(COUNT))
    assert moments.distances().item() == pytest.approx(exact(generated, real), rel=0.05)


def test_gradient_approximates_that_of_frechet_distance(real: Tensor, generated: Tensor) -> None:
    moments = Moments([real], memory=1)
    moments.update(generated[None], uniform(COUNT))
    features = generated.clone().requires_grad_()
    moments.loss(features[None], uniform(COUNT)).sum().backward()
    assert features.grad is not None
    step = 1e-3 * COUNT  # the gradient is of a mean
    fallen = exact(generated, real) - exact(generated - step * features.grad, real)
    assert fallen == pytest.approx(step * features.grad.square().sum().item(), rel=0.05)


def test_real_digits_have_zero_distance(real: Tensor) -> None:
    moments = Moments([real], memory=1)
    moments.update(real[None], uniform(COUNT))
    assert moments.distances().item() == pytest.approx(0, abs=1e-4)


def test_populations_are_independent(real: Tensor, generated: Tensor) -> None:
    moments = Moments([real, generated], memory=1)
    moments.update(torch.stack([generated, generated]), uniform(COUNT).expand(2, -1))
    first, second = moments.distances().tolist()
    assert first > 100 * abs(second)


def test_running_means_average_over_batches(real: Tensor, generated: Tensor) -> None:
    long, short = Moments([real], memory=1000), Moments([real], memory=1)
    for batch in (generated, real):
        long.update(batch[None], uniform(COUNT))
        short.update(batch[None], uniform(COUNT))
    half = torch.cat([generated, real])
    assert long.distances().item() == pytest.approx(exact(half, real), rel=0.1)
    assert short.distances().item() < 0.01 * long.distances().item()


def test_weights_are_applied(real: Tensor, generated: Tensor) -> None:
    weights = torch.cat([uniform(COUNT), torch.zeros(1, COUNT)], dim=1)
    moments = Moments([real], memory=1)
    moments.update(torch.cat([real, generated])[None], weights)
    assert moments.distances().item() == pytest.approx(0, abs=1e-4)


def test_state_can_be_copied(real: Tensor, generated: Tensor) -> None:
    moments, other = Moments([real], memory=10), Moments([real], memory=10)
    moments.update(generated[None], uniform(COUNT))
    for name, value in other.state().items():
        value.copy_(moments.state()[name])
    assert torch.equal(moments.distances(), other.distances())
