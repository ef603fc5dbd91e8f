"""Adversarial training: discriminator step, generator step, EMA, record."""

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
    """Train a generator against a discriminator and return the best one by the held-out digits, frozen.

    In several processes all call this alike. Sets torch's global random state, from which everything is drawn.

    Raises DivergedError when a loss is not finite, TrainingError for digits fewer than a batch and for a batch that the
    processes cannot share, CheckpointError for one that does not fit.
    """
    digits, world, compute = context.mnist.fitting, context.world, context.compute
    batches = len(digits) // stage.batch_size  # each epoch leaves out a few digits, others each time
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

        # --- data: every epoch has an order of its own, which depends on seed and epoch alone
        epoch, batch = divmod(step, batches)
        if batch == 0 or not len(order):
            order = epoch_order(len(digits), context.preset.seed, epoch).to(compute.device)
        indices = world.shard(order[batch * stage.batch_size : (batch + 1) * stage.batch_size])
        real = digits.batch(indices, generator.image_range)  # (N, 1, 28, 28)
        classes = classes_of(generator, digits.labels[indices])  # generated digits are of the real ones' classes
        latents = world.shard(torch.randn(stage.batch_size, generator.latent_dim, device=compute.device))

        # --- discriminator: tell real from generated
        with compute.autocast():
            fake = generator(latents, *classes)  # (N, D) -> (N, 1, 28, 28)
            real_scores = world.gather(discriminator(real, *classes))  # -> (N,), of all processes
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

        # --- generator: pass for real; the discriminator's own gradients are not needed
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
    """The discriminator's weighted penalties, a scalar, float32."""
    shares = world.shard(torch.rand(world.size * len(real), 1, 1, 1, device=real.device))
    values = [world.mean(PENALTIES[kind](score, real, fake, shares)) for kind in penalties.kinds]
    return torch.stack(values).sum() * value_at(penalties.weight, progress) * penalties.every


def _score(discriminator: nn.Module, classes: tuple[Tensor, ...], images: Tensor) -> Tensor:
    """Images as scores, under the labels of the batch."""
    scores: Tensor = discriminator(images, *classes)
    return scores


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """A permutation, int64 (count,), that depends on seed and epoch alone."""
    source = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(count, generator=source)


def check_epochs(stage: Adversarial, digits: int, start: Checkpoint) -> None:
    """Refuse to end before the checkpoint. Raises CheckpointError."""
    done = start.header.step / max(1, digits // stage.batch_size)
    if done > stage.epochs:
        raise CheckpointError(f"epochs: expected at least the {done:g} that are done, got {stage.epochs}")
