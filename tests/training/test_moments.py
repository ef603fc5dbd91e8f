"""The distance of moments against the Fréchet distance that it stands for."""

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
    """The real ones a little larger, sheared and moved."""
    turn = torch.eye(SIZE) + 0.01 * torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    return real @ turn + 0.02


def even(count: int) -> Tensor:
    return torch.full((1, count), 1 / count)


def test_near_real_digits_it_is_the_frechet_distance(real: Tensor, generated: Tensor) -> None:
    moments = Moments([real], memory=1)
    moments.remember(generated[None], even(COUNT))
    assert moments.distances().item() == pytest.approx(exact(generated, real), rel=0.05)


def test_its_gradient_is_that_of_the_frechet_distance(real: Tensor, generated: Tensor) -> None:
    moments = Moments([real], memory=1)
    moments.remember(generated[None], even(COUNT))
    features = generated.clone().requires_grad_()
    moments.loss(features[None], even(COUNT)).sum().backward()
    assert features.grad is not None
    step = 1e-3 * COUNT  # the gradient is of a mean
    fallen = exact(generated, real) - exact(generated - step * features.grad, real)
    assert fallen == pytest.approx(step * features.grad.square().sum().item(), rel=0.05)


def test_real_digits_have_no_distance(real: Tensor) -> None:
    moments = Moments([real], memory=1)
    moments.remember(real[None], even(COUNT))
    assert moments.distances().item() == pytest.approx(0, abs=1e-4)


def test_populations_are_compared_each_by_itself(real: Tensor, generated: Tensor) -> None:
    moments = Moments([real, generated], memory=1)
    moments.remember(torch.stack([generated, generated]), even(COUNT).expand(2, -1))
    first, second = moments.distances().tolist()
    assert first > 100 * abs(second)


def test_the_memory_reaches_back_over_batches(real: Tensor, generated: Tensor) -> None:
    long, short = Moments([real], memory=1000), Moments([real], memory=1)
    for batch in (generated, real):
        long.remember(batch[None], even(COUNT))
        short.remember(batch[None], even(COUNT))
    half = torch.cat([generated, real])
    assert long.distances().item() == pytest.approx(exact(half, real), rel=0.1)
    assert short.distances().item() < 0.01 * long.distances().item()


def test_weights_say_how_much_a_digit_counts(real: Tensor, generated: Tensor) -> None:
    weights = torch.cat([even(COUNT), torch.zeros(1, COUNT)], dim=1)
    moments = Moments([real], memory=1)
    moments.remember(torch.cat([real, generated])[None], weights)
    assert moments.distances().item() == pytest.approx(0, abs=1e-4)


def test_the_state_is_what_changes(real: Tensor, generated: Tensor) -> None:
    moments, other = Moments([real], memory=10), Moments([real], memory=10)
    moments.remember(generated[None], even(COUNT))
    for name, value in other.state().items():
        value.copy_(moments.state()[name])
    assert torch.equal(moments.distances(), other.distances())
