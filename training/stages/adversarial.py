"""Adversarial training: discriminator step, generator step, EMA update, recording."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam

from training.config import Adversarial, Penalties
from training.errors import CheckpointError, TrainingError
from training.networks import build_discriminator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import classes_of
from training.objectives.losses import LOSSES
from training.objectives.penalties import PENALTIES
from training.objectives.penalties import Score as ScoreImages
from training.run.checkpoint import Checkpoint
from training.run.distributed import World
from training.schedules import value_at
from training.stages.context import Context
from training.stages.ema import frozen_copy, measure_batch_norm, update_ema
from training.stages.recorder import Intervals, Recorder
from training.stages.state import TrainingState


def train(stage: Adversarial, _: Sequence[GeneratorNetwork], context: Context) -> GeneratorNetwork:
    """Train a generator against a discriminator and return the one with the best held-out ratio, frozen.

    Every process must call this. Seeds torch's global random state and draws from it.

    Raises DivergedError for a non-finite loss, TrainingError for a data set smaller than a batch or a batch that cannot
    be divided among the processes, and CheckpointError for a checkpoint that does not fit.
    """
    digits, world, compute = context.mnist.training_split, context.world, context.compute
    batches = len(digits) // stage.batch_size  # per epoch; drops the last, incomplete batch
    if batches == 0:
        raise TrainingError(f"batch_size: expected at most the {len(digits)} digits, got {stage.batch_size}")
    steps = stage.epochs * batches
    loss = LOSSES[stage.loss]()

    torch.manual_seed(context.seed)
    generator = context.build_generator()
    discriminator = compute.place(build_discriminator(stage.discriminator))
    ema = frozen_copy(generator) if stage.ema else generator
    generator_optimizer, discriminator_optimizer = (
        Adam(network.parameters(), fused=True) for network in (generator, discriminator)
    )
    state = TrainingState(
        networks={"generator": generator, "discriminator": discriminator} | ({"ema": ema} if stage.ema else {}),
        optimizers={"generator": generator_optimizer, "discriminator": discriminator_optimizer},
    )

    def exported() -> GeneratorNetwork:
        network = frozen_copy(ema)
        measure_batch_norm(network, stage.batch_norm_samples, context.preset.seed)
        return network

    recorder = Recorder(
        context,
        state,
        steps=steps,
        batch_size=stage.batch_size,
        intervals=Intervals(
            log=stage.log_every,
            evaluate=stage.evaluate_every * batches,
            sample=stage.sample_every * (batches if stage.sample_unit == "epoch" else 1),
            checkpoint=stage.checkpoint_every,
        ),
        exported=exported,
    )
    order = torch.empty(0)
    while (step := recorder.step) < steps and not recorder.is_stale(stage.patience):
        for optimizer in state.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = value_at(stage.learning_rate, step / steps)
                group["betas"] = (stage.betas[0], value_at(stage.betas[1], step / steps))

        # --- data: shuffled in every epoch; the order depends only on seed and epoch
        epoch, batch = divmod(step, batches)
        if batch == 0 or not len(order):
            order = epoch_order(len(digits), context.preset.seed, epoch).to(compute.device)
        indices = world.shard(order[batch * stage.batch_size : (batch + 1) * stage.batch_size])
        real = digits.batch(indices, generator.image_range)  # (N, 1, 28, 28)
        classes = classes_of(generator, digits.labels[indices])  # for both real and generated digits
        latents = world.shard(torch.randn(stage.batch_size, generator.latent_dim, device=compute.device))

        # --- discriminator: tell real from generated
        with compute.autocast():
            fake = generator(latents, *classes)  # (N, D) -> (N, 1, 28, 28)
            real_scores = world.gather(discriminator(real, *classes))  # -> (N,), the global batch
            fake_scores = world.gather(discriminator(fake.detach(), *classes))
        discriminator_loss = loss.discriminator(real_scores, fake_scores)
        discriminator_optimizer.zero_grad()
        discriminator_loss.backward()
        if stage.penalties and step % stage.penalties.every == 0:
            score = partial(_score, discriminator, classes)
            with compute.autocast() if stage.penalties.mixed_precision else nullcontext():
                penalty = penalise(stage.penalties, step / steps, score, real, fake.detach(), world)
            penalty.backward()
        world.sum_gradients(discriminator)
        discriminator_optimizer.step()

        # --- generator: be scored as real; the discriminator's parameters need no gradients
        discriminator.requires_grad_(False)
        with compute.autocast():
            generator_scores = world.gather(discriminator(fake, *classes))
            paired_scores = world.gather(discriminator(real, *classes)) if loss.paired else None
        generator_loss = loss.generator(generator_scores, paired_scores)
        generator_optimizer.zero_grad()
        generator_loss.backward()
        world.sum_gradients(generator)
        generator_optimizer.step()
        discriminator.requires_grad_(True)

        # --- EMA
        if stage.ema:
            update_ema(ema, generator, stage.ema, step * stage.batch_size, stage.batch_size)

        recorder.record(
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_score=loss.probability(real_scores.detach()),
            fake_score=loss.probability(fake_scores.detach()),
        )
    return recorder.finish()


def penalise(
    penalties: Penalties, progress: float, score: ScoreImages, real: Tensor, fake: Tensor, world: World
) -> Tensor:
    """The weighted sum of the discriminator's penalties, a float32 scalar."""
    mix = world.shard(torch.rand(world.size * len(real), 1, 1, 1, device=real.device))
    values = [world.mean(PENALTIES[kind](score, real, fake, mix)) for kind in penalties.kinds]
    return torch.stack(values).sum() * value_at(penalties.weight, progress) * penalties.every


def _score(discriminator: nn.Module, classes: tuple[Tensor, ...], images: Tensor) -> Tensor:
    """The discriminator's scores (N,) of images (N, 1, 28, 28) given the classes of the batch."""
    scores: Tensor = discriminator(images, *classes)
    return scores


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """A permutation, int64 (count,), that depends only on seed and epoch."""
    source = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(count, generator=source)


def check_epochs(stage: Adversarial, digits: int, start: Checkpoint) -> None:
    """Raises CheckpointError if the checkpoint is past the last epoch."""
    completed = start.header.step / max(1, digits // stage.batch_size)
    if completed > stage.epochs:
        raise CheckpointError(f"epochs: expected at least the {completed:g} completed ones, got {stage.epochs}")
