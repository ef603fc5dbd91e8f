"""GENERATORS and DISCRIMINATORS: every architecture, by name.

A new one is one file beside this one and a row in a table; a variant of one is a preset.
"""

from collections.abc import Callable, Mapping

from torch import nn

from training.config import Network
from training.networks.conv import ConvDiscriminator, ConvGenerator
from training.networks.generator import GeneratorNetwork
from training.networks.mlp import MLPDiscriminator, MLPGenerator
from training.networks.residual import ResidualDiscriminator
from training.networks.upsampling import UpsamplingGenerator

# Latents (N, D), and class weights (N, 10) where conditional -> images (N, 1, 28, 28).
GENERATORS: Mapping[str, Callable[..., GeneratorNetwork]] = {
    "mlp": MLPGenerator,
    "conv": ConvGenerator,
    "upsampling": UpsamplingGenerator,
}
# Images (N, 1, 28, 28), and class weights (N, 10) where conditional -> scores (N,).
DISCRIMINATORS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": MLPDiscriminator,
    "conv": ConvDiscriminator,
    "residual": ResidualDiscriminator,
}


def build_generator(network: Network, latent_dim: int) -> GeneratorNetwork:
    """A generator, freshly initialised from torch's global random state."""
    return GENERATORS[network.architecture](latent_dim=latent_dim, **network.options)


def build_discriminator(network: Network) -> nn.Module:
    """A discriminator, freshly initialised from torch's global random state."""
    return DISCRIMINATORS[network.architecture](**network.options)
