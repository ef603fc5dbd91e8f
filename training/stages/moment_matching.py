"""Moment matching: the feature moments of the generator's digits are matched to those of real ones.

Where a discriminator no longer shows the generator what its digits lack, means and covariances of many features, over
all digits and within each class, still do. As no discriminator has to keep up, the generator learns in the
fake-quantized 8 bits that it will be exported in (quantization-aware training).

The features come from a pool of unlike networks, a few of which, at random, see each batch: a generator overfits to
networks that always see it. The squared error, in pixels and features, to the digits that the run's first generator
draws for the same latents keeps running moments that lag behind from making it oscillate, and shows a student what its
teacher does better.
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
    """Match the moments of the last generator's digits and return the EMA of its weights, frozen.

    In several processes all call this alike. Sets torch's global random state, from which everything is drawn.

    Raises CheckpointError for a start that does not fit, DivergedError when a loss is not finite, and TrainingError for
    a batch that the processes cannot share.
    """
    world, compute = context.world, context.compute
    networks = fit_networks(context.mnist.seen, stage.epochs, compute, context.seed, world, context.announce)
    comparisons = [Comparison(network, context.mnist.fitting, stage, compute) for network in networks]
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
        learning = step * stage.batch_size >= stage.memory  # before, the moments of all networks are filled
        for group in optimizer.param_groups:
            group["lr"] = value_at(stage.learning_rate, step / stage.steps)

        # --- digits as users will see them, and their features
        latents = world.shard(torch.randn(stage.batch_size, generator.latent_dim, device=compute.device))
        chosen = torch.randperm(len(comparisons))[: stage.networks if learning else None].tolist()
        with nullcontext() if learning else torch.no_grad():
            with compute.autocast():
                images = drawing(latents, classes)  # (N, 1, 28, 28)
            pixels = to_grey_levels(images, generator.image_range)
            own = {index: comparisons[index].features(pixels) for index in chosen}
            features = {index: world.gather(rows) for index, rows in own.items()}

        # --- generator, EMA, moments
        if learning:
            loss = torch.stack([comparisons[index].loss(rows) for index, rows in features.items()]).mean()
            if teacher is not None:
                with torch.no_grad():
                    with compute.autocast():
                        shown = teacher(latents, classes)
                    target = to_grey_levels(shown, teacher.image_range)
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
        for index in chosen:
            comparisons[index].remember(features[index])
        recorder.record(moment_distance=torch.stack([comparisons[index].distance() for index in chosen]).mean())
    return recorder.finish()


def to_grey_levels(images: Tensor, image_range: tuple[float, float]) -> Tensor:
    """Images in the range of a generator as one of 256 grey levels from 0 to 1, with a straight-through gradient."""
    low, high = image_range
    pixels = (images - low) / (high - low)
    return pixels + ((pixels * 255).round() / 255 - pixels).detach()
