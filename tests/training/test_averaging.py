"""The average of a generator's weights, and batch norm measured anew."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from tests.training.small import SMALL
from training.config import Averaging
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.players import build_players
from training.run.device import Compute
from training.stages.ema import measure_batch_norm, start_average, update_average


def small_generator(name: str = "conv") -> GeneratorNetwork:
    preset = SMALL[name]
    return build_generator(preset.architecture, preset.latent_dim, preset.generator)


def filled(network: GeneratorNetwork, value: float) -> GeneratorNetwork:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return network


def weight(network: nn.Module) -> float:
    values = torch.cat([parameter.flatten() for parameter in network.parameters()])
    assert (values - values[0]).abs().max() < 1e-6
    return float(values[0].detach())


class TestAverage:
    def test_after_a_half_life_the_past_counts_half(self) -> None:
        average = start_average(filled(small_generator(), 0.0))
        target = filled(small_generator(), 1.0)
        how = Averaging(half_life=1000, ramp=1.0)
        for step in range(10):
            update_average(average, target, how, images_before=10_000 + 100 * step, images=100)
        assert weight(average) == pytest.approx(0.5, abs=1e-5)

    def test_at_first_the_half_life_is_short(self) -> None:
        how = Averaging(half_life=1000, ramp=0.1)
        average = start_average(filled(small_generator(), 0.0))
        update_average(average, filled(small_generator(), 1.0), how, images_before=0, images=100)
        assert weight(average) == 1  # nothing was before it
        update_average(average, filled(small_generator(), 3.0), how, images_before=1000, images=100)
        assert weight(average) == pytest.approx(2, abs=1e-5)  # a half-life of 0.1 x 1000 images

    def test_it_is_never_trained(self) -> None:
        average = start_average(small_generator())
        assert not average.training
        assert not any(parameter.requires_grad for parameter in average.parameters())


class TestBatchNorm:
    def test_statistics_become_those_of_fresh_latents(self) -> None:
        preset = dataclasses.replace(SMALL["mlp-bn"], batch_norm_samples=10_000)
        generator = small_generator("mlp-bn").eval()
        state = torch.get_rng_state()
        measure_batch_norm(generator, preset)
        assert torch.equal(state, torch.get_rng_state())
        first_linear, first_norm = generator.layers[0], generator.layers[1]
        torch.manual_seed(99)
        with torch.no_grad():
            features = first_linear(torch.randn(20_000, preset.latent_dim))
        assert isinstance(first_norm, nn.BatchNorm1d)
        assert first_norm.running_mean is not None
        assert first_norm.running_var is not None
        assert torch.allclose(first_norm.running_mean, features.mean(0), atol=0.1)
        assert torch.allclose(first_norm.running_var, features.var(0), rtol=0.1)
        assert not generator.training

    @pytest.mark.parametrize("name", ["mlp-bn", "conv"])
    def test_what_is_given_away_leaves_the_run_as_it_was(self, name: str, compute: Compute) -> None:
        preset = dataclasses.replace(SMALL[name], batch_norm_samples=1000)
        players = build_players(preset, compute)
        before = {key: copy.deepcopy(network.state_dict()) for key, network in players.networks.items()}
        state = torch.get_rng_state()
        with players.given_away(preset) as network:
            assert not network.training
            inside = copy.deepcopy(network.state_dict())
        assert torch.equal(state, torch.get_rng_state())
        assert players.generator.training
        after = {key: network.state_dict() for key, network in players.networks.items()}
        for key, tensors in before.items():
            assert all(torch.equal(value, after[key][item]) for item, value in tensors.items())
        given = before.get("average", before["generator"])
        assert any(not torch.equal(value, inside[item]) for item, value in given.items())
