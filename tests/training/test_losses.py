"""Values and gradients of the losses, compared to formulas."""

import math
from dataclasses import dataclass

import pytest
import torch

from training.objectives.losses import LOSSES


def s(score: float) -> float:
    """The sigmoid."""
    return 1 / (1 + math.exp(-score))


@dataclass(frozen=True, kw_only=True)
class Case:
    """The scores of two real and two generated digits, and the expected losses and gradients."""

    real: tuple[float, float] = (2.0, -1.0)
    fake: tuple[float, float] = (0.5, -3.0)
    discriminator: float
    grad_real: tuple[float, float]  # gradient of the discriminator's loss
    grad_fake: tuple[float, float]
    generator: float
    generator_grad_fake: tuple[float, float]
    generator_grad_real: tuple[float, float] | None = None


CASES = {
    "bce": Case(
        real=(0.8, 0.4),
        fake=(0.1, 0.5),
        discriminator=-(math.log(0.8) + math.log(0.4)) / 2 - (math.log(0.9) + math.log(0.5)) / 2,
        grad_real=(-1 / 1.6, -1 / 0.8),
        grad_fake=(1 / 1.8, 1.0),
        generator=-(math.log(0.1) + math.log(0.5)) / 2,
        generator_grad_fake=(-5.0, -1.0),
    ),
    "bce-with-logits": Case(
        discriminator=-(math.log(s(2)) + math.log(s(-1))) / 2 - (math.log(1 - s(0.5)) + math.log(1 - s(-3))) / 2,
        grad_real=((s(2) - 1) / 2, (s(-1) - 1) / 2),
        grad_fake=(s(0.5) / 2, s(-3) / 2),
        generator=-(math.log(s(0.5)) + math.log(s(-3))) / 2,
        generator_grad_fake=((s(0.5) - 1) / 2, (s(-3) - 1) / 2),
    ),
    "minimax": Case(
        discriminator=-(math.log(s(2)) + math.log(s(-1))) / 2 - (math.log(1 - s(0.5)) + math.log(1 - s(-3))) / 2,
        grad_real=((s(2) - 1) / 2, (s(-1) - 1) / 2),
        grad_fake=(s(0.5) / 2, s(-3) / 2),
        generator=(math.log(1 - s(0.5)) + math.log(1 - s(-3))) / 2,
        generator_grad_fake=(-s(0.5) / 2, -s(-3) / 2),
    ),
    "hinge": Case(
        discriminator=(0 + 2) / 2 + (1.5 + 0) / 2,  # 2 and -3 are beyond the margins
        grad_real=(0.0, -0.5),
        grad_fake=(0.5, 0.0),
        generator=(-0.5 + 3) / 2,
        generator_grad_fake=(-0.5, -0.5),
    ),
    "least-squares": Case(
        discriminator=(1**2 + 2**2) / 2 / 2 + (0.5**2 + 3**2) / 2 / 2,
        grad_real=(1 / 2, -2 / 2),
        grad_fake=(0.5 / 2, -3 / 2),
        generator=(0.5**2 + 4**2) / 2 / 2,
        generator_grad_fake=(-0.5 / 2, -4 / 2),
    ),
    "wasserstein": Case(
        discriminator=(0.5 - 3) / 2 - (2 - 1) / 2,
        grad_real=(-0.5, -0.5),
        grad_fake=(0.5, 0.5),
        generator=(-0.5 + 3) / 2,
        generator_grad_fake=(-0.5, -0.5),
    ),
    "relativistic": Case(  # the real digits score 1.5 and 2 more than their generated counterparts
        discriminator=(math.log(1 + math.exp(-1.5)) + math.log(1 + math.exp(-2))) / 2,
        grad_real=((s(1.5) - 1) / 2, (s(2) - 1) / 2),
        grad_fake=((1 - s(1.5)) / 2, (1 - s(2)) / 2),
        generator=(math.log(1 + math.exp(1.5)) + math.log(1 + math.exp(2))) / 2,
        generator_grad_fake=(-s(1.5) / 2, -s(2) / 2),
        generator_grad_real=(s(1.5) / 2, s(2) / 2),
    ),
}


def scores(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def test_every_loss_has_a_case() -> None:
    assert {*CASES, "bce-with-logits-smoothed"} == set(LOSSES)


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
class TestKnownValues:
    def test_discriminator(self, name: str, case: Case) -> None:
        real, fake = scores(case.real), scores(case.fake)
        value = LOSSES[name]().discriminator(real, fake)
        assert (value.shape, value.dtype) == ((), torch.float32)
        assert value.item() == pytest.approx(case.discriminator, rel=1e-5)
        grad_real, grad_fake = torch.autograd.grad(value, (real, fake))
        assert grad_real.tolist() == pytest.approx(case.grad_real, rel=1e-5)
        assert grad_fake.tolist() == pytest.approx(case.grad_fake, rel=1e-5)

    def test_generator(self, name: str, case: Case) -> None:
        loss = LOSSES[name]()
        real, fake = scores(case.real), scores(case.fake)
        value = loss.generator(fake, real)
        assert (value.shape, value.dtype) == ((), torch.float32)
        assert value.item() == pytest.approx(case.generator, rel=1e-5)
        grad_fake, grad_real = torch.autograd.grad(value, (fake, real), allow_unused=True)
        assert grad_fake.tolist() == pytest.approx(case.generator_grad_fake, rel=1e-5)
        assert loss.paired == (case.generator_grad_real is not None)
        if case.generator_grad_real is None:
            assert grad_real is None
            assert torch.equal(loss.generator(fake), value)
        else:
            assert grad_real.tolist() == pytest.approx(case.generator_grad_real, rel=1e-5)


def test_smoothed_loss_uses_sampled_targets() -> None:
    """The gradient with respect to a logit is (sigmoid(logit) - target) / N, which gives the targets."""
    torch.manual_seed(0)
    real, fake = scores((2.0, -1.0)), scores((0.5, -3.0))
    value = LOSSES["bce-with-logits-smoothed"]().discriminator(real, fake)
    grad_real, grad_fake = torch.autograd.grad(value, (real, fake))
    expected = 0.0
    for logits, gradient in (((2.0, -1.0), grad_real), ((0.5, -3.0), grad_fake)):
        targets = [s(logit) - 2 * slope for logit, slope in zip(logits, gradient.tolist(), strict=True)]
        for logit, target in zip(logits, targets, strict=True):
            expected -= (target * math.log(s(logit)) + (1 - target) * math.log(1 - s(logit))) / 2
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_does_not_affect_generator() -> None:
    fake = torch.tensor([0.5, -3.0])
    assert LOSSES["bce-with-logits-smoothed"]().generator(fake).item() == pytest.approx(
        -(math.log(s(0.5)) + math.log(s(-3))) / 2
    )


def test_only_minimax_saturates() -> None:
    """For a confident discriminator, the generator's gradient vanishes with the minimax loss only."""
    slopes = {}
    for name in LOSSES.keys() - {"bce"}:
        fake = scores((-20.0,))
        (slope,) = torch.autograd.grad(LOSSES[name]().generator(fake, torch.zeros(1)), fake)
        slopes[name] = slope.item()
    assert slopes.pop("minimax") == pytest.approx(-math.exp(-20), rel=1e-4)
    assert max(slopes.values()) < -0.99


def test_paired_loss_requires_real_scores() -> None:
    with pytest.raises(
        TypeError, match="real_scores: expected the scores of the real digits for a paired loss, got None"
    ):
        LOSSES["relativistic"]().generator(torch.zeros(2))


def test_relativistic_loss_is_shift_invariant() -> None:
    loss, real, fake = LOSSES["relativistic"](), torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    assert torch.equal(loss.discriminator(real, fake), loss.discriminator(real + 8, fake + 8))
    assert torch.equal(loss.generator(fake, real), loss.generator(fake + 8, real + 8))


class TestProbability:
    def test_bce_is_mean_of_probabilities(self) -> None:
        assert LOSSES["bce"]().probability(torch.tensor([0.8, 0.4])).item() == pytest.approx(0.6)

    @pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"bce", "least-squares"}))
    def test_logits_are_passed_through_sigmoid(self, name: str) -> None:
        value = LOSSES[name]().probability(torch.tensor([0.0, 2.0]))
        assert value.item() == pytest.approx((0.5 + s(2)) / 2)

    def test_least_squares_is_clamped(self) -> None:
        value = LOSSES["least-squares"]().probability(torch.tensor([-1.0, 0.25, 3.0]))
        assert value.item() == pytest.approx((0 + 0.25 + 1) / 3)


@pytest.mark.parametrize("name", LOSSES)
def test_nan_is_propagated(name: str) -> None:
    loss, good, bad = LOSSES[name](), torch.tensor([0.5, 0.5]), torch.tensor([0.5, math.nan])
    assert loss.discriminator(bad, good).isnan()
    assert loss.discriminator(good, bad).isnan()
    assert loss.generator(bad, good).isnan()
    assert loss.probability(bad).isnan()
    assert loss.generator(good, bad).isnan() == loss.paired


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"bce"}))  # its scores are from a sigmoid
@pytest.mark.parametrize("infinity", [math.inf, -math.inf])
def test_infinite_scores_give_non_finite_loss(name: str, infinity: float) -> None:
    loss, good, bad = LOSSES[name](), torch.tensor([0.5, 0.5]), torch.tensor([0.5, infinity])
    losses = [loss.discriminator(bad, good), loss.discriminator(good, bad), loss.generator(bad, good)]
    assert not torch.stack(losses).isfinite().all()
