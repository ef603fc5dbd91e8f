"""The EMA of a generator's weights, and recomputed batch-norm statistics."""

import pytest
import torch
from torch import nn

from tests.training.small import SMALL
from training.config import EMA
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.stages.ema import frozen_copy, measure_batch_norm, update_ema


def small_generator(name: str = "conv") -> GeneratorNetwork:
    return build_generator(SMALL[name].network, SMALL[name].latent_dim)


def filled(network: GeneratorNetwork, value: float) -> GeneratorNetwork:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return network


def weight(network: nn.Module) -> float:
    values = torch.cat([parameter.flatten() for parameter in network.parameters()])
    assert (values - values[0]).abs().max() < 1e-6
    return float(values[0].detach())


class TestEMA:
    def test_past_weights_halve_after_half_life(self) -> None:
        ema = frozen_copy(filled(small_generator(), 0.0))
        target = filled(small_generator(), 1.0)
        config = EMA(half_life=1000, ramp=1.0)
        for step in range(10):
            update_ema(ema, target, config, images_before=10_000 + 100 * step, images=100)
        assert weight(ema) == pytest.approx(0.5, abs=1e-5)

    def test_half_life_ramps_up(self) -> None:
        config = EMA(half_life=1000, ramp=0.1)
        ema = frozen_copy(filled(small_generator(), 0.0))
        update_ema(ema, filled(small_generator(), 1.0), config, images_before=0, images=100)
        assert weight(ema) == 1  # there are no past weights
        update_ema(ema, filled(small_generator(), 3.0), config, images_before=1000, images=100)
        assert weight(ema) == pytest.approx(2, abs=1e-5)  # a half-life of 0.1 x 1000 images

    def test_copy_is_frozen(self) -> None:
        ema = frozen_copy(small_generator())
        assert not ema.training
        assert not any(parameter.requires_grad for parameter in ema.parameters())


class TestBatchNorm:
    def test_recomputes_statistics(self) -> None:
        generator = small_generator("mlp-bn").train()
        state = torch.get_rng_state()
        measure_batch_norm(generator, 10_000, seed=1)
        assert torch.equal(state, torch.get_rng_state())
        first_linear, first_norm = generator.layers[0], generator.layers[1]
        torch.manual_seed(99)
        with torch.no_grad():
            features = first_linear(torch.randn(20_000, generator.latent_dim))
        assert isinstance(first_norm, nn.BatchNorm1d)
        assert first_norm.running_mean is not None
        assert first_norm.running_var is not None
        assert torch.allclose(first_norm.running_mean, features.mean(0), atol=0.1)
        assert torch.allclose(first_norm.running_var, features.var(0), rtol=0.1)
        assert not generator.training

    def test_keeps_running_statistics_without_samples(self) -> None:
        generator = small_generator("mlp-bn").train()
        before = {name: value.clone() for name, value in generator.state_dict().items()}
        measure_batch_norm(generator, 0, seed=1)
        assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
        assert not generator.training
