"""GENERATORS, DISCRIMINATORS and ENCODERS: the network architectures by name.

To add an architecture, add a class to this package and a row to a table. Variants are presets with other options.
"""

from collections.abc import Callable, Mapping

from torch import nn

from training.config import Network
from training.networks.conv import (
    ConvDiscriminator,
    ConvGenerator,
    ResidualDiscriminator,
    ResidualEncoder,
    UpsamplingGenerator,
)
from training.networks.generator import GeneratorNetwork
from training.networks.mlp import MLPDiscriminator, MLPGenerator

# Latents (N, D) and, if conditional, class weights (N, K) -> images (N, 1, 28, 28).
GENERATORS: Mapping[str, Callable[..., GeneratorNetwork]] = {
    "mlp": MLPGenerator,
    "conv": ConvGenerator,
    "upsampling": UpsamplingGenerator,
}
# Images (N, 1, 28, 28) and, if conditional, class weights (N, K) -> scores (N,).
DISCRIMINATORS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": MLPDiscriminator,
    "conv": ConvDiscriminator,
    "residual": ResidualDiscriminator,
}
# Images (N, 1, 28, 28), 0 to 1 -> latents (N, D) and label logits (N, K).
ENCODERS: Mapping[str, Callable[..., nn.Module]] = {"residual": ResidualEncoder}


def build_generator(network: Network, latent_dim: int, classes: int) -> GeneratorNetwork:
    """Build a generator for K = `classes` classes, initialised from torch's global random state."""
    return GENERATORS[network.architecture](latent_dim=latent_dim, classes=classes, **network.options)


def build_discriminator(network: Network, classes: int) -> nn.Module:
    """Build a discriminator, initialised from torch's global random state."""
    return DISCRIMINATORS[network.architecture](classes=classes, **network.options)


def build_encoder(network: Network, latent_dim: int, classes: int) -> nn.Module:
    """Build an encoder, initialised from torch's global random state."""
    return ENCODERS[network.architecture](latent_dim=latent_dim, classes=classes, **network.options)
