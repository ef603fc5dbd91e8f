"""The two networks of a preset and their optimisers: what a run changes and a checkpoint holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn
from torch.optim import Adam

from training.config import Preset
from training.networks import build_discriminator, build_generator
from training.networks.generator import GeneratorNetwork
from training.run.device import Compute
from training.run.distributed import World, synchronise
from training.schedules import value_at
from training.stages.ema import measure_batch_norm, start_average


@dataclass(frozen=True)
class Players:
    """Generator and discriminator, each with its Adam (D. Kingma and J. Ba, 2015, arXiv:1412.6980).

    `average` is the generator whose weights follow the trained one's at a distance, where the preset asks for one.
    """

    generator: GeneratorNetwork
    discriminator: nn.Module
    average: GeneratorNetwork | None
    generator_optimizer: Adam
    discriminator_optimizer: Adam

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All networks by name."""
        both = {"generator": self.generator, "discriminator": self.discriminator}
        return both | ({"average": self.average} if self.average is not None else {})

    @property
    def optimizers(self) -> dict[str, Adam]:
        """Both optimisers, by their networks' names."""
        return {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}

    def set_rates(self, preset: Preset, progress: float) -> None:
        """Give both optimisers the learning rate and the betas of this point of the run, from 0 to 1."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = value_at(preset.learning_rate, progress)
                group["betas"] = (preset.betas[0], value_at(preset.betas[1], progress))

    @contextmanager
    def given_away(self, preset: Preset) -> Iterator[GeneratorNetwork]:
        """The generator as users get it: the average where there is one, batch norm measured, in evaluation mode.

        Afterwards everything is as it was before.
        """
        network = self.generator if self.average is None else self.average
        state = {name: value.clone() for name, value in network.named_buffers()}
        training = network.training
        try:
            measure_batch_norm(network.eval(), preset)
            yield network
        finally:
            for name, value in network.named_buffers():
                value.copy_(state[name])
            network.train(training)


def build_players(preset: Preset, compute: Compute, world: World | None = None) -> Players:
    """Fresh players on the device, drawn from torch's global random state."""
    generator = compute.place(build_generator(preset.architecture, preset.latent_dim, preset.generator))
    discriminator = compute.place(build_discriminator(preset.architecture, preset.discriminator))
    average = start_average(generator) if preset.average else None
    for network in (generator, discriminator):
        synchronise(network, world or World())

    def adam(network: nn.Module) -> Adam:
        betas = (preset.betas[0], value_at(preset.betas[1], 0))
        return Adam(network.parameters(), lr=value_at(preset.learning_rate, 0), betas=betas, fused=True)

    return Players(generator, discriminator, average, adam(generator), adam(discriminator))
