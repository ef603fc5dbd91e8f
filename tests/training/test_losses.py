"""Every loss gives the values and gradients that its formula gives by hand."""

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
    """Two real and two generated digits' scores, and what they cost and move."""

    real: tuple[float, float] = (2.0, -1.0)
    fake: tuple[float, float] = (0.5, -3.0)
    discriminator: float
    by_real: tuple[float, float]  # the discriminator's gradient
    by_fake: tuple[float, float]
    generator: float
    generator_by_fake: tuple[float, float]
    generator_by_real: tuple[float, float] | None = None


CASES = {
    "bce": Case(
        real=(0.8, 0.4),
        fake=(0.1, 0.5),
        discriminator=-(math.log(0.8) + math.log(0.4)) / 2 - (math.log(0.9) + math.log(0.5)) / 2,
        by_real=(-1 / 1.6, -1 / 0.8),
        by_fake=(1 / 1.8, 1.0),
        generator=-(math.log(0.1) + math.log(0.5)) / 2,
        generator_by_fake=(-5.0, -1.0),
    ),
    "bce-with-logits": Case(
        discriminator=-(math.log(s(2)) + math.log(s(-1))) / 2 - (math.log(1 - s(0.5)) + math.log(1 - s(-3))) / 2,
        by_real=((s(2) - 1) / 2, (s(-1) - 1) / 2),
        by_fake=(s(0.5) / 2, s(-3) / 2),
        generator=-(math.log(s(0.5)) + math.log(s(-3))) / 2,
        generator_by_fake=((s(0.5) - 1) / 2, (s(-3) - 1) / 2),
    ),
    "minimax": Case(
        discriminator=-(math.log(s(2)) + math.log(s(-1))) / 2 - (math.log(1 - s(0.5)) + math.log(1 - s(-3))) / 2,
        by_real=((s(2) - 1) / 2, (s(-1) - 1) / 2),
        by_fake=(s(0.5) / 2, s(-3) / 2),
        generator=(math.log(1 - s(0.5)) + math.log(1 - s(-3))) / 2,
        generator_by_fake=(-s(0.5) / 2, -s(-3) / 2),
    ),
    "hinge": Case(
        discriminator=(0 + 2) / 2 + (1.5 + 0) / 2,  # 2 and -3 lie beyond the margins and cost nothing
        by_real=(0.0, -0.5),
        by_fake=(0.5, 0.0),
        generator=(-0.5 + 3) / 2,
        generator_by_fake=(-0.5, -0.5),
    ),
    "least-squares": Case(
        discriminator=(1**2 + 2**2) / 2 / 2 + (0.5**2 + 3**2) / 2 / 2,
        by_real=(1 / 2, -2 / 2),
        by_fake=(0.5 / 2, -3 / 2),
        generator=(0.5**2 + 4**2) / 2 / 2,
        generator_by_fake=(-0.5 / 2, -4 / 2),
    ),
    "wasserstein": Case(
        discriminator=(0.5 - 3) / 2 - (2 - 1) / 2,
        by_real=(-0.5, -0.5),
        by_fake=(0.5, 0.5),
        generator=(-0.5 + 3) / 2,
        generator_by_fake=(-0.5, -0.5),
    ),
    "relativistic": Case(  # the real digits score 1.5 and 2 more than the generated ones beside them
        discriminator=(math.log(1 + math.exp(-1.5)) + math.log(1 + math.exp(-2))) / 2,
        by_real=((s(1.5) - 1) / 2, (s(2) - 1) / 2),
        by_fake=((1 - s(1.5)) / 2, (1 - s(2)) / 2),
        generator=(math.log(1 + math.exp(1.5)) + math.log(1 + math.exp(2))) / 2,
        generator_by_fake=(-s(1.5) / 2, -s(2) / 2),
        generator_by_real=(s(1.5) / 2, s(2) / 2),
    ),
}


def scores(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def test_every_loss_has_a_case() -> None:
    assert {*CASES, "bce-with-logits-smoothed"} == set(LOSSES)


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
class TestByHand:
    def test_discriminator(self, name: str, case: Case) -> None:
        real, fake = scores(case.real), scores(case.fake)
        value = LOSSES[name]().discriminator(real, fake)
        assert (value.shape, value.dtype) == ((), torch.float32)
        assert value.item() == pytest.approx(case.discriminator, rel=1e-5)
        by_real, by_fake = torch.autograd.grad(value, (real, fake))
        assert by_real.tolist() == pytest.approx(case.by_real, rel=1e-5)
        assert by_fake.tolist() == pytest.approx(case.by_fake, rel=1e-5)

    def test_generator(self, name: str, case: Case) -> None:
        loss = LOSSES[name]()
        real, fake = scores(case.real), scores(case.fake)
        value = loss.generator(fake, real)
        assert (value.shape, value.dtype) == ((), torch.float32)
        assert value.item() == pytest.approx(case.generator, rel=1e-5)
        by_fake, by_real = torch.autograd.grad(value, (fake, real), allow_unused=True)
        assert by_fake.tolist() == pytest.approx(case.generator_by_fake, rel=1e-5)
        assert loss.paired == (case.generator_by_real is not None)
        if case.generator_by_real is None:
            assert by_real is None
            assert torch.equal(loss.generator(fake), value)
        else:
            assert by_real.tolist() == pytest.approx(case.generator_by_real, rel=1e-5)


def test_smoothed_targets_price_the_scores() -> None:
    """The gradient by a logit is (sigmoid(logit) - target) / N, which lays the drawn targets open."""
    torch.manual_seed(0)
    real, fake = scores((2.0, -1.0)), scores((0.5, -3.0))
    value = LOSSES["bce-with-logits-smoothed"]().discriminator(real, fake)
    by_real, by_fake = torch.autograd.grad(value, (real, fake))
    cost = 0.0
    for logits, gradient in (((2.0, -1.0), by_real), ((0.5, -3.0), by_fake)):
        targets = [s(logit) - 2 * slope for logit, slope in zip(logits, gradient.tolist(), strict=True)]
        for logit, target in zip(logits, targets, strict=True):
            cost -= (target * math.log(s(logit)) + (1 - target) * math.log(1 - s(logit))) / 2
    assert value.item() == pytest.approx(cost, rel=1e-5)


def test_smoothing_leaves_the_generator_alone() -> None:
    fake = torch.tensor([0.5, -3.0])
    assert LOSSES["bce-with-logits-smoothed"]().generator(fake).item() == pytest.approx(
        -(math.log(s(0.5)) + math.log(s(-3))) / 2
    )


def test_only_minimax_saturates() -> None:
    """Where the discriminator is sure of a generated digit, the generator still moves, but by minimax."""
    slopes = {}
    for name in LOSSES.keys() - {"bce"}:
        fake = scores((-20.0,))
        (slope,) = torch.autograd.grad(LOSSES[name]().generator(fake, torch.zeros(1)), fake)
        slopes[name] = slope.item()
    assert slopes.pop("minimax") == pytest.approx(-math.exp(-20), rel=1e-4)
    assert max(slopes.values()) < -0.99


def test_a_pair_is_asked_for() -> None:
    with pytest.raises(TypeError, match="real_scores: a paired loss expects the real digits' scores, got None"):
        LOSSES["relativistic"]().generator(torch.zeros(2))


def test_relativistic_scores_have_no_zero() -> None:
    loss, real, fake = LOSSES["relativistic"](), torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    assert torch.equal(loss.discriminator(real, fake), loss.discriminator(real + 8, fake + 8))
    assert torch.equal(loss.generator(fake, real), loss.generator(fake + 8, real + 8))


class TestProbability:
    def test_of_probabilities_is_their_mean(self) -> None:
        assert LOSSES["bce"]().probability(torch.tensor([0.8, 0.4])).item() == pytest.approx(0.6)

    @pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"bce", "least-squares"}))
    def test_of_scores_is_their_sigmoid(self, name: str) -> None:
        value = LOSSES[name]().probability(torch.tensor([0.0, 2.0]))
        assert value.item() == pytest.approx((0.5 + s(2)) / 2)

    def test_of_least_squares_is_the_score_within_bounds(self) -> None:
        value = LOSSES["least-squares"]().probability(torch.tensor([-1.0, 0.25, 3.0]))
        assert value.item() == pytest.approx((0 + 0.25 + 1) / 3)


@pytest.mark.parametrize("name", LOSSES)
def test_nan_passes(name: str) -> None:
    loss, good, bad = LOSSES[name](), torch.tensor([0.5, 0.5]), torch.tensor([0.5, math.nan])
    assert loss.discriminator(bad, good).isnan()
    assert loss.discriminator(good, bad).isnan()
    assert loss.generator(bad, good).isnan()
    assert loss.probability(bad).isnan()
    assert loss.generator(good, bad).isnan() == loss.paired


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"bce"}))  # whose sigmoid keeps scores finite
@pytest.mark.parametrize("infinity", [math.inf, -math.inf])
def test_infinity_becomes_a_loss_and_not_an_abort(name: str, infinity: float) -> None:
    loss, good, bad = LOSSES[name](), torch.tensor([0.5, 0.5]), torch.tensor([0.5, infinity])
    losses = [loss.discriminator(bad, good), loss.discriminator(good, bad), loss.generator(bad, good)]
    assert not torch.stack(losses).isfinite().all()
