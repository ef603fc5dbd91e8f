"""GENERATORS, DISCRIMINATORS and ENCODERS: the network architectures by name.

To add an architecture, add a module to this package and a row to a table. Variants are presets with other options.
"""

from collections.abc import Callable, Mapping

from torch import nn

from training.config import Network
from training.networks.conv import ConvDiscriminator, ConvGenerator
from training.networks.generator import GeneratorNetwork
from training.networks.mlp import MLPDiscriminator, MLPGenerator
from training.networks.residual import ResidualDiscriminator, ResidualEncoder
from training.networks.upsampling import UpsamplingGenerator

# Latents (N, D) and, if conditional, class weights (N, 10) -> images (N, 1, 28, 28).
GENERATORS: Mapping[str, Callable[..., GeneratorNetwork]] = {
    "mlp": MLPGenerator,
    "conv": ConvGenerator,
    "upsampling": UpsamplingGenerator,
}
# Images (N, 1, 28, 28) and, if conditional, class weights (N, 10) -> scores (N,).
DISCRIMINATORS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": MLPDiscriminator,
    "conv": ConvDiscriminator,
    "residual": ResidualDiscriminator,
}
# Images (N, 1, 28, 28), 0 to 1 -> latents (N, D) and label logits (N, 10).
ENCODERS: Mapping[str, Callable[..., nn.Module]] = {"residual": ResidualEncoder}


def build_generator(network: Network, latent_dim: int) -> GeneratorNetwork:
    """Build a generator, initialised from torch's global random state."""
    return GENERATORS[network.architecture](latent_dim=latent_dim, **network.options)


def build_discriminator(network: Network) -> nn.Module:
    """Build a discriminator, initialised from torch's global random state."""
    return DISCRIMINATORS[network.architecture](**network.options)


def build_encoder(network: Network, latent_dim: int) -> nn.Module:
    """Build an encoder, initialised from torch's global random state."""
    return ENCODERS[network.architecture](latent_dim=latent_dim, **network.options)
