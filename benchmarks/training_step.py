"""The time of a training step: python -m benchmarks.training_step [PRESET ...].

Compares the choices of `training.device.choose` to their alternatives: precision, memory format and threads.
"""

import sys
from collections.abc import Callable
from itertools import product

import torch
from torch.optim import Adam

from benchmarks.timing import medians
from mnistgen._runtime import usable_cpus
from training.config import Preset
from training.device import Compute, Precision, choose
from training.losses import LOSSES
from training.networks import build_discriminator, build_generator
from training.networks.generator import classes_of, cyclic_labels
from training.presets import PRESETS

CLASSES = 10
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def stepper(preset: Preset, compute: Compute, channels_last: bool) -> Callable[[], None]:
    """A function that runs a discriminator and a generator step, without penalties, on noise, as training/train.py."""
    config = preset.adversarial
    generator = compute.place(build_generator(preset.teacher.network, preset.latent_dim, CLASSES))
    discriminator = compute.place(build_discriminator(config.discriminator, CLASSES))
    networks = (generator, discriminator)
    if not channels_last:
        for network in networks:
            network.to(memory_format=torch.contiguous_format)
    generator_optimizer, discriminator_optimizer = (Adam(network.parameters(), fused=True) for network in networks)
    loss = LOSSES[config.loss]
    real = torch.rand(config.batch_size, 1, 28, 28, device=compute.device)
    classes = classes_of(generator, cyclic_labels(config.batch_size, CLASSES).to(compute.device))

    def step() -> None:
        torch.set_num_threads(compute.threads)
        latents = torch.randn(config.batch_size, preset.latent_dim, device=compute.device)
        with compute.autocast():
            fake = generator(latents, *classes)
            losses = loss.discriminator(discriminator(real, *classes), discriminator(fake.detach(), *classes))
        discriminator_optimizer.zero_grad()
        losses.backward()
        discriminator_optimizer.step()
        discriminator.requires_grad_(False)
        with compute.autocast():
            paired_scores = discriminator(real, *classes) if loss.paired else None
            generator_loss = loss.generator(discriminator(fake, *classes), paired_scores)
        generator_optimizer.zero_grad()
        generator_loss.backward()
        generator_optimizer.step()
        discriminator.requires_grad_(True)
        if compute.device.type == "cuda":
            torch.cuda.synchronize()

    return step


def main(*names: str) -> None:
    """Measure and print a table for each preset."""
    chosen = choose("auto")
    threads = sorted({1, chosen.threads, usable_cpus()}) if chosen.device.type == "cpu" else [chosen.threads]
    for name in names or ("digits", "mlp", "conv", "dcgan"):
        preset = PRESETS[name]
        contestants = {
            f"{precision}, {'channels_last' if last else 'contiguous'}, {count} threads": stepper(
                preset, choose(chosen.device.type, precision, count), last
            )
            for precision, last, count in product(PRECISIONS, (False, True), threads)
        }
        seconds = medians(contestants, rounds=5)
        ours = seconds[f"{chosen.precision}, channels_last, {chosen.threads} threads"]
        print(f"{name}: chosen {chosen}")
        for label, value in seconds.items():
            print(f"  {label:40} {value * 1e3:8.1f} ms/step  {value / ours:5.2f} x the default")


if __name__ == "__main__":
    main(*sys.argv[1:])
