"""The penalties for scores with known gradients."""

import math

import pytest
import torch
from torch import Tensor

from training.config import Network
from training.networks import build_discriminator
from training.objectives.losses import LOSSES
from training.objectives.penalties import PENALTIES

names = pytest.mark.parametrize("name", PENALTIES)


@pytest.fixture
def real() -> Tensor:
    return torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def fake() -> Tensor:
    return 3 * torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def mix() -> Tensor:
    return torch.rand(5, 1, 1, 1, generator=torch.Generator().manual_seed(3))


def norms(images: Tensor) -> list[float]:
    """The Euclidean norm of every image."""
    return [math.sqrt(sum(pixel * pixel for pixel in image)) for image in images.flatten(1).tolist()]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


class TestLinearScore:
    """D(x) = w.x + 7 has the gradient w everywhere."""

    @pytest.mark.parametrize("name", ["r1", "r2"])
    def test_r1_and_r2(self, name: str, real: Tensor, fake: Tensor, mix: Tensor) -> None:
        weights = torch.linspace(-1, 1, 784, requires_grad=True)
        value = PENALTIES[name](lambda images: images.flatten(1) @ weights + 7, real, fake, mix)
        assert (value.shape, value.dtype) == ((), torch.float32)
        (slope_norm,) = norms(weights.detach()[None])
        assert value.item() == pytest.approx(slope_norm**2 / 2, rel=1e-5)
        (slope,) = torch.autograd.grad(value, weights)
        assert torch.allclose(slope, weights)  # d(w.w / 2)/dw

    def test_gradient_penalty(self, real: Tensor, fake: Tensor, mix: Tensor) -> None:
        weights = torch.linspace(-1, 1, 784, requires_grad=True)
        value = PENALTIES["gradient"](lambda images: images.flatten(1) @ weights + 7, real, fake, mix)
        assert (value.shape, value.dtype) == ((), torch.float32)
        (slope_norm,) = norms(weights.detach()[None])
        assert value.item() == pytest.approx((slope_norm - 1) ** 2, rel=1e-5)
        (slope,) = torch.autograd.grad(value, weights)
        assert torch.allclose(slope, 2 * (slope_norm - 1) / slope_norm * weights, atol=1e-6)

    def test_unit_gradient_norm_has_no_penalty(self, real: Tensor, fake: Tensor, mix: Tensor) -> None:
        weights = torch.full((784,), 1 / 28)  # 784 / 28**2 = 1
        value = PENALTIES["gradient"](lambda images: images.flatten(1) @ weights, real, fake, mix)
        assert value.item() == pytest.approx(0, abs=1e-10)

    def test_zero_gradient_is_differentiable(self, real: Tensor, fake: Tensor, mix: Tensor) -> None:
        weights = torch.zeros(784, requires_grad=True)
        value = PENALTIES["gradient"](lambda images: images.flatten(1) @ weights, real, fake, mix)
        assert value.item() == 1
        (slope,) = torch.autograd.grad(value, weights)
        assert slope.isfinite().all()


class TestQuadraticScore:
    """D(x) = a/2 x.x has the gradient ax."""

    @pytest.mark.parametrize("name", ["r1", "r2"])
    def test_r1_and_r2(self, name: str, real: Tensor, fake: Tensor, mix: Tensor) -> None:
        factor = torch.tensor(0.3, requires_grad=True)
        value = PENALTIES[name](lambda images: factor / 2 * images.square().sum(dim=(1, 2, 3)), real, fake, mix)
        squares = mean([norm**2 for norm in norms({"r1": real, "r2": fake}[name])])
        assert value.item() == pytest.approx(0.3**2 / 2 * squares, rel=1e-5)
        (slope,) = torch.autograd.grad(value, factor)
        assert slope.item() == pytest.approx(0.3 * squares, rel=1e-5)

    def test_gradient_penalty(self, real: Tensor, mix: Tensor) -> None:
        """With equal images, all interpolated points are the same."""
        factor = torch.tensor(0.3, requires_grad=True)
        value = PENALTIES["gradient"](
            lambda images: factor / 2 * images.square().sum(dim=(1, 2, 3)), real, real.clone(), mix
        )
        assert value.item() == pytest.approx(mean([(0.3 * norm - 1) ** 2 for norm in norms(real)]), rel=1e-5)
        (slope,) = torch.autograd.grad(value, factor)
        expected = mean([2 * (0.3 * norm - 1) * norm for norm in norms(real)])
        assert slope.item() == pytest.approx(expected, rel=1e-5)


class TestInterpolation:
    def test_points_are_interpolated_per_image(self, real: Tensor, fake: Tensor, mix: Tensor) -> None:
        seen = []

        def score(images: Tensor) -> Tensor:
            seen.append(images.detach())
            return images.sum(dim=(1, 2, 3))

        PENALTIES["gradient"](score, real, fake, mix)
        (points,) = seen
        for point, start, end, factor in zip(points, real, fake, mix.flatten().tolist(), strict=True):
            assert torch.allclose(point, (1 - factor) * start + factor * end, atol=1e-6)


@names
def test_no_gradient_to_generator(name: str, real: Tensor, mix: Tensor) -> None:
    brightness = torch.tensor(0.5, requires_grad=True)
    weights = torch.ones(784, requires_grad=True)
    fake = brightness * real.flip(0)
    PENALTIES[name](lambda images: images.flatten(1).square() @ weights, real, fake, mix).backward()
    assert weights.grad is not None
    assert brightness.grad is None
    assert not real.requires_grad


@names
def test_gradients_of_loss_and_penalty_add_up(name: str, real: Tensor, fake: Tensor, mix: Tensor) -> None:
    options = {"widths": [16, 8], "activation": "leaky-relu", "final": "none", "init": "default"}
    discriminator = build_discriminator(Network("mlp", options))
    weights, *_, last_bias = discriminator.parameters()
    loss = LOSSES["relativistic"]().discriminator(discriminator(real), discriminator(fake))
    penalty = PENALTIES[name](discriminator, real, fake, mix)
    (by_loss,) = torch.autograd.grad(loss, weights, retain_graph=True)
    by_penalty, by_bias = torch.autograd.grad(penalty, (weights, last_bias), retain_graph=True, allow_unused=True)
    assert by_penalty.any()
    assert by_bias is None or not by_bias.any()  # a constant offset does not change the gradient
    (loss + 2 * penalty).backward()
    assert weights.grad is not None
    assert torch.allclose(weights.grad, by_loss + 2 * by_penalty)
