"""Fine-tuning by feature-moment matching: match the feature moments of generated digits to those of real ones.

When adversarial training no longer improves a generator, the means and covariances of many features, over all digits
and within each class, still provide a gradient. Without a discriminator, training is stable enough for fake
quantization: the generator is trained with the 8-bit weights and activations of its export (quantization-aware
training).

The features come from an ensemble of different networks. Each batch uses a random subset of them, since a generator
overfits to a fixed set. Additional losses, the squared errors in pixels and features to the images of the run's first
generator for the same latents, damp oscillations from the lag of the running moments and let a student learn from its
teacher.
"""

import copy
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.optim import Adam

from training.config import MomentMatching
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import CLASSES, GeneratorNetwork
from training.objectives.comparison import Comparison
from training.objectives.features import fit_networks
from training.schedules import value_at
from training.stages.context import Context
from training.stages.ema import frozen_copy, update_ema
from training.stages.recorder import Intervals, Recorder
from training.stages.state import TrainingState


def train(stage: MomentMatching, generators: Sequence[GeneratorNetwork], context: Context) -> GeneratorNetwork:
    """Fine-tune a copy of the last generator and return its EMA copy, frozen.

    Every process must call this. Seeds torch's global random state and draws from it.

    Raises DivergedError for a non-finite loss, TrainingError for a batch that cannot be divided among the processes,
    and CheckpointError for a checkpoint that does not fit.
    """
    world, compute = context.world, context.compute
    networks = fit_networks(context.mnist.seen, stage.epochs, compute, context.seed, world, context.announce)
    comparisons = [Comparison(network, context.mnist.training_split, stage, compute) for network in networks]
    torch.manual_seed(context.seed)
    teacher = generators[0] if stage.pixel_error or stage.feature_error else None
    generator = copy.deepcopy(generators[-1]).train().requires_grad_(True)
    ema = frozen_copy(generator)
    optimizer = Adam(generator.parameters(), betas=stage.betas, fused=True)
    moments = {
        f"{index}.{name}": value
        for index, comparison in enumerate(comparisons)
        for name, value in comparison.state().items()
    }
    recorder = Recorder(
        context,
        TrainingState({"generator": generator, "ema": ema}, {"generator": optimizer}, moments),
        steps=stage.steps,
        batch_size=stage.batch_size,
        intervals=Intervals(stage.log_every, stage.evaluate_every, stage.evaluate_every, stage.evaluate_every),
        exported=lambda: frozen_copy(ema),
    )
    drawing = FakeQuantizedGenerator(generator) if context.preset.quantization else generator
    labels = torch.arange(CLASSES, device=compute.device).repeat_interleave(stage.batch_size // CLASSES)
    classes = world.shard(one_hot(labels, CLASSES).float())
    while (step := recorder.step) < stage.steps:
        if step % stage.evaluate_every == 0 and isinstance(drawing, FakeQuantizedGenerator):
            drawing.calibrate()
        learning = step * stage.batch_size >= stage.memory  # before that, only fill the running moments
        for group in optimizer.param_groups:
            group["lr"] = value_at(stage.learning_rate, step / stage.steps)

        # --- generated digits with 256 grey levels, as users get them, and their features
        latents = world.shard(torch.randn(stage.batch_size, generator.latent_dim, device=compute.device))
        chosen = torch.randperm(len(comparisons))[: stage.networks if learning else None].tolist()
        with nullcontext() if learning else torch.no_grad():
            with compute.autocast():
                images = drawing(latents, classes)  # (N, 1, 28, 28)
            pixels = to_grey_levels(images, generator.image_range)
            own = {index: comparisons[index].features(pixels) for index in chosen}  # of this process's rows
            features = {index: world.gather(rows) for index, rows in own.items()}

        # --- generator step, EMA update
        if learning:
            loss = torch.stack([comparisons[index].loss(rows) for index, rows in features.items()]).mean()
            if teacher is not None:
                with torch.no_grad():
                    with compute.autocast():
                        teacher_images = teacher(latents, classes)
                    target = to_grey_levels(teacher_images, teacher.image_range)
                    targets = {index: comparisons[index].features(target) for index in chosen}
                errors = torch.stack([(own[index] - targets[index]).square().mean() for index in chosen])
                progress = step / stage.steps
                loss = loss + value_at(stage.pixel_error, progress) * world.mean((pixels - target).square().mean())
                loss = loss + value_at(stage.feature_error, progress) * world.mean(errors.mean())
            optimizer.zero_grad()
            loss.backward()
            world.sum_gradients(generator)
            optimizer.step()
            update_ema(ema, generator, stage.ema, step * stage.batch_size - stage.memory, stage.batch_size)

        # --- running moments
        for index in chosen:
            comparisons[index].update(features[index])
        recorder.record(moment_distance=torch.stack([comparisons[index].distance() for index in chosen]).mean())
    return recorder.finish()


def to_grey_levels(images: Tensor, image_range: tuple[float, float]) -> Tensor:
    """Map images in `image_range` to [0, 1] and round to 256 grey levels, with a straight-through gradient."""
    low, high = image_range
    pixels = (images - low) / (high - low)
    return pixels + ((pixels * 255).round() / 255 - pixels).detach()
