"""The adversarial losses and the gradient penalties, compared to the papers' formulas."""

import math
from collections.abc import Callable
from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.losses import LOSSES, PENALTIES

Formula = Callable[[float], float]


def s(score: float) -> float:
    """The sigmoid."""
    return 1 / (1 + exp(-score))


# The discriminator's loss of a real and of a generated image, and the generator's loss, by score.
FORMULAS: dict[str, tuple[Formula, Formula, Formula]] = {
    "bce": (lambda p: -log(p), lambda p: -log(1 - p), lambda p: -log(p)),
    "bce-with-logits": (lambda x: -log(s(x)), lambda x: -log(1 - s(x)), lambda x: -log(s(x))),
    "minimax": (lambda x: -log(s(x)), lambda x: -log(1 - s(x)), lambda x: log(1 - s(x))),
    "hinge": (lambda x: max(0, 1 - x), lambda x: max(0, 1 + x), lambda x: -x),
    "least-squares": (lambda x: (x - 1) ** 2 / 2, lambda x: x**2 / 2, lambda x: (x - 1) ** 2 / 2),
    "wasserstein": (lambda x: -x, lambda x: x, lambda x: -x),
}
numbers = st.lists(st.floats(-8, 8), min_size=1, max_size=5)


def scores(name: str, values: list[float]) -> Tensor:
    """Scores of a discriminator with this loss: for bce, probabilities."""
    tensor = torch.tensor(values, dtype=torch.float64)
    return tensor.sigmoid() if name == "bce" else tensor


def mean(formula: Formula, values: Tensor) -> float:
    return sum(map(formula, values.tolist())) / len(values)


@pytest.mark.parametrize("name", FORMULAS)
@given(numbers, numbers)
def test_elementwise_losses(name: str, first: list[float], second: list[float]) -> None:
    loss, (of_real, of_fake, of_generated) = LOSSES[name], FORMULAS[name]
    real, fake = scores(name, first), scores(name, second)
    assert loss.discriminator(real, fake).item() == pytest.approx(mean(of_real, real) + mean(of_fake, fake), abs=1e-9)
    assert loss.generator(fake).item() == pytest.approx(mean(of_generated, fake), abs=1e-9)
    assert not loss.paired


@given(numbers, st.floats(-8, 8))
def test_relativistic_loss_of_pairs(differences: list[float], shift: float) -> None:
    loss, real = LOSSES["relativistic"], torch.tensor(differences, dtype=torch.float64) + shift
    fake = torch.full_like(real, shift)
    expected = [mean(lambda x: -log(s(x)), real - fake), mean(lambda x: -log(s(-x)), real - fake)]
    losses = [loss.discriminator(real, fake), loss.generator(fake, real)]
    assert [value.item() for value in losses] == pytest.approx(expected, abs=1e-9)
    with pytest.raises(TypeError, match="real_scores: expected the scores of the real digits for a paired loss"):
        loss.generator(fake)


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"bce-with-logits-smoothed"}))  # whose targets are random
def test_gradients(name: str) -> None:
    real, fake = (scores(name, values).requires_grad_() for values in ([2.0, -1.5], [0.5, -3.0]))
    assert torch.autograd.gradcheck(LOSSES[name].discriminator, (real, fake))
    assert torch.autograd.gradcheck(LOSSES[name].generator, (fake, real))


def test_smoothed_targets_are_uniform() -> None:
    """The gradient with respect to a logit is (sigmoid(logit) - target) / N, which gives the target."""
    real, fake = torch.full((2, 10_000), 0.3, requires_grad=True)
    loss = LOSSES["bce-with-logits-smoothed"].discriminator(real, fake)
    for gradient, low, high in zip(torch.autograd.grad(loss, (real, fake)), (0.8, 0.0), (1.0, 0.2), strict=True):
        targets = s(0.3) - gradient * 10_000
        assert [targets.min(), targets.mean(), targets.max()] == pytest.approx([low, (low + high) / 2, high], abs=5e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_nan_is_propagated(name: str) -> None:
    loss, good, bad = LOSSES[name], torch.tensor([0.5, 0.5]), torch.tensor([0.5, math.nan])
    for value in (loss.discriminator(bad, good), loss.discriminator(good, bad), loss.generator(bad, good)):
        assert value.isnan()


# --- penalties --------------------------------------------------------------------------------------------------------


REAL, FAKE = torch.rand(2, 5, 1, 28, 28, generator=torch.Generator().manual_seed(1)) * torch.tensor([1, 3]).view(
    2, 1, 1, 1, 1
)
MIX = torch.linspace(0, 0.9, 5).view(5, 1, 1, 1)
CLASSES = torch.linspace(0.5, 2, 5)[:, None]  # weights of a single class
FACTOR = torch.tensor(0.3, requires_grad=True)


def quadratic(images: Tensor, classes: Tensor) -> Tensor:
    """The score D(x, c) = a/2 c x.x, whose gradient is acx."""
    return FACTOR / 2 * classes[:, 0] * images.square().sum(dim=(1, 2, 3))


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_and_their_derivatives(name: str) -> None:
    points = {"r1": REAL, "r2": FAKE, "gradient": (1 - MIX) * REAL + MIX * FAKE}[name]
    norms = CLASSES[:, 0] * points.flatten(1).norm(dim=1)  # of the gradient, divided by a
    if name == "gradient":
        expected = (0.3 * norms - 1).square().mean(), (2 * (0.3 * norms - 1) * norms).mean()
    else:
        expected = (0.3 * norms).square().mean() / 2, 0.3 * norms.square().mean()
    fake = FAKE.clone().requires_grad_()
    value = PENALTIES[name](quadratic, (CLASSES,), REAL, fake, MIX)  # type: ignore[arg-type]  # any function will do
    slope, of_generator = torch.autograd.grad(value, (FACTOR, fake), allow_unused=True)
    assert (value.item(), slope.item()) == pytest.approx(tuple(map(float, expected)), rel=1e-5)
    assert of_generator is None
