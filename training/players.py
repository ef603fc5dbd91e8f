"""The two networks of a preset and their optimisers: what a run changes and a checkpoint holds."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Adam

from training.compute import Compute
from training.models import build_discriminator, build_generator
from training.models.network import GeneratorNetwork
from training.presets import Preset


@dataclass(frozen=True)
class Players:
    """Generator and discriminator, each with its Adam (D. Kingma and J. Ba, 2015, arXiv:1412.6980)."""

    generator: GeneratorNetwork
    discriminator: nn.Module
    generator_optimizer: Adam
    discriminator_optimizer: Adam

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Both networks by name."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def optimizers(self) -> dict[str, Adam]:
        """Both optimisers, by their networks' names."""
        return {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}


def build_players(preset: Preset, compute: Compute) -> Players:
    """Fresh players on the device, drawn from torch's global random state."""
    generator = compute.place(build_generator(preset.architecture, preset.latent_dim, preset.generator))
    discriminator = compute.place(build_discriminator(preset.architecture, preset.discriminator))

    def adam(network: nn.Module) -> Adam:
        return Adam(network.parameters(), lr=preset.learning_rate, betas=preset.betas, fused=True)

    return Players(generator, discriminator, adam(generator), adam(discriminator))


def fixed_latents(preset: Preset, count: int) -> torch.Tensor:
    """Latents (count, D) that every grid of a run shows, drawn apart from the run's own random state."""
    source = torch.Generator().manual_seed(preset.seed)
    return torch.randn(count, preset.latent_dim, generator=source)
