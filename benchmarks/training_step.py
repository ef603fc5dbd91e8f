"""A training step: python -m benchmarks.training_step [PRESET ...].

What `training.run.device.choose` chooses against its alternatives: precision, memory format and threads.
"""

import sys
from collections.abc import Callable
from itertools import product

import torch

from benchmarks.timing import medians
from mnistgen.cpus import usable_cpus
from training.config import Preset
from training.objectives.losses import LOSSES
from training.players import build_players
from training.presets import PRESETS
from training.run.device import Compute, Precision, choose

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def stepper(preset: Preset, compute: Compute, channels_last: bool) -> Callable[[], None]:
    """One discriminator step and one generator step on noise, as in training.stages.adversarial."""
    players = build_players(preset, compute)
    if not channels_last:
        for network in players.networks.values():
            network.to(memory_format=torch.contiguous_format)
    loss = LOSSES[preset.loss]()
    real = torch.rand(preset.batch_size, 1, 28, 28, device=compute.device)

    def step() -> None:
        torch.set_num_threads(compute.threads)
        latents = torch.randn(preset.batch_size, preset.latent_dim, device=compute.device)
        with compute.autocast():
            fake = players.generator(latents)
            losses = loss.discriminator(players.discriminator(real), players.discriminator(fake.detach()))
        players.discriminator_optimizer.zero_grad()
        losses.backward()
        players.discriminator_optimizer.step()
        players.discriminator.requires_grad_(False)
        with compute.autocast():
            generator_loss = loss.generator(players.discriminator(fake), None)
        players.generator_optimizer.zero_grad()
        generator_loss.backward()
        players.generator_optimizer.step()
        players.discriminator.requires_grad_(True)
        if compute.device.type == "cuda":
            torch.cuda.synchronize()

    return step


def main(*names: str) -> None:
    """Measure and print a table for each preset."""
    for name in names or ("mlp", "conv", "dcgan"):
        preset = PRESETS[name]
        chosen = choose("auto", preset.architecture)
        threads = sorted({1, usable_cpus()}) if chosen.device.type == "cpu" else [1]
        contestants = {
            f"{precision}, {'channels_last' if last else 'contiguous'}, {count} threads": stepper(
                preset, choose(chosen.device.type, preset.architecture, precision, count), last
            )
            for precision, last, count in product(PRECISIONS, (False, True), threads)
        }
        seconds = medians(contestants, rounds=5)
        ours = seconds[f"{chosen.precision}, channels_last, {min(chosen.threads, threads[-1])} threads"]
        print(f"{name}: chosen {chosen}")
        for label, value in seconds.items():
            print(f"  {label:40} {value * 1e3:8.1f} ms/step  {value / ours:5.2f} x the chosen")


if __name__ == "__main__":
    main(*sys.argv[1:])
