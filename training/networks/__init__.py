"""ARCHITECTURES: every family of networks, each a generator and a discriminator.

A new family is one file beside this one and one row in the table; a new variant of a family is a preset.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import nn

from training.networks.conv import ConvDiscriminator, ConvGenerator
from training.networks.generator import GeneratorNetwork
from training.networks.mixture import MixtureGenerator
from training.networks.mlp import MLPDiscriminator, MLPGenerator
from training.networks.residual import ResidualDiscriminator, ResidualGenerator
from training.networks.upsampling import UpsamplingGenerator


class Architecture(NamedTuple):
    """The two players. Generators map latents (N, D) to images (N, 1, 28, 28), discriminators images to scores (N,).

    Conditional ones both take class weights (N, 10) after that.
    """

    generator: Callable[..., GeneratorNetwork]
    discriminator: Callable[..., nn.Module]


def _mixture(*, latent_dim: int, members: int, architecture: str, **options: Any) -> MixtureGenerator:
    """So many of an architecture's generators, with these options, in one."""
    return MixtureGenerator([build_generator(architecture, latent_dim - members, options) for _ in range(members)])


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(MLPGenerator, MLPDiscriminator),
    "conv": Architecture(ConvGenerator, ConvDiscriminator),
    "residual": Architecture(ResidualGenerator, ResidualDiscriminator),
    "upsampling": Architecture(UpsamplingGenerator, ResidualDiscriminator),
    "mixture": Architecture(_mixture, ResidualDiscriminator),
}


def build_generator(architecture: str, latent_dim: int, options: Mapping[str, Any]) -> GeneratorNetwork:
    """The generator of an architecture, freshly initialised from torch's global random state."""
    return ARCHITECTURES[architecture].generator(latent_dim=latent_dim, **options)


def build_discriminator(architecture: str, options: Mapping[str, Any]) -> nn.Module:
    """The discriminator of an architecture, freshly initialised from torch's global random state."""
    return ARCHITECTURES[architecture].discriminator(**options)
