"""Distillation: a small generator, the student, learns to reproduce the images of a larger one, its teacher.

A generator this small cannot keep up with a discriminator; the teacher provides a target image for every latent. The
teacher's images are generated once and used for many epochs, so that training runs only the student.

Sources: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531);
A. Aguinaldo et al., "Compressing GANs using Knowledge Distillation", 2019 (arXiv:1902.00159), section 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Adam

from training.config import Distillation
from training.networks.generator import CLASSES, GeneratorNetwork
from training.networks.inputs import classes_of
from training.schedules import value_at
from training.stages.context import Context
from training.stages.ema import frozen_copy
from training.stages.recorder import Intervals, Recorder
from training.stages.state import TrainingState

CHUNK = 500  # teacher images per forward pass


def train(stage: Distillation, generators: Sequence[GeneratorNetwork], context: Context) -> GeneratorNetwork:
    """Distil the last of the generators, the teacher, into a new generator and return it, frozen.

    Every process must call this. Seeds torch's global random state and draws from it.

    Raises DivergedError for a non-finite loss, TrainingError for a batch that cannot be divided among the processes,
    and CheckpointError for a checkpoint that does not fit.
    """
    world, compute = context.world, context.compute
    torch.manual_seed(context.seed)
    generator = context.build_generator().train()
    context.announce(f"generating {stage.bank:,} teacher images")
    latents, labels, images = draw_bank(generators[-1], stage.bank, context)
    optimizer = Adam(generator.parameters(), betas=stage.betas, fused=True)
    recorder = Recorder(
        context,
        TrainingState({"generator": generator}, {"generator": optimizer}),
        steps=stage.steps,
        batch_size=stage.batch_size,
        intervals=Intervals(stage.log_every, stage.evaluate_every, stage.evaluate_every, stage.evaluate_every),
        exported=lambda: frozen_copy(generator),
    )
    low, high = generator.image_range
    while (step := recorder.step) < stage.steps:
        for group in optimizer.param_groups:
            group["lr"] = value_at(stage.learning_rate, step / stage.steps)
        rows = world.shard(torch.randint(stage.bank, (stage.batch_size,), device=compute.device))
        target = images[rows].float() / 255 * (high - low) + low  # (N, 1, 28, 28)
        with compute.autocast():
            output = generator(latents[rows], *classes_of(generator, labels[rows]))
        loss = world.mean((output - target).square().mean())
        optimizer.zero_grad()
        loss.backward()
        world.sum_gradients(generator)
        optimizer.step()
        recorder.record(distillation_loss=loss)
    return recorder.finish()


@torch.no_grad()
def draw_bank(teacher: GeneratorNetwork, size: int, context: Context) -> tuple[Tensor, Tensor, Tensor]:
    """Generate latents float32 (N, D), cyclic labels int64 (N,) and teacher images uint8 (N, 1, 28, 28), N = size."""
    device = context.compute.device
    latents = torch.randn(size, teacher.latent_dim, device=device)
    labels = torch.arange(size, device=device) % CLASSES
    low, high = teacher.image_range
    images = []  # of this process's shard
    for rows in context.world.shard(torch.arange(size, device=device)).split(CHUNK):
        with context.compute.autocast():
            drawn = teacher(latents[rows], *classes_of(teacher, labels[rows]))
        images.append(((drawn - low) / (high - low) * 255).round().to(torch.uint8))
    return latents, labels, context.world.gather(torch.cat(images))
