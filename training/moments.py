"""Fine-tuning by feature-moment matching: match the feature moments of generated images to those of real ones.

When adversarial training no longer improves a generator, the means and covariances of many features, over all images
and within each class, still provide a gradient. Without a discriminator, training is stable enough for fake
quantization: the generator is trained with the 8-bit weights and activations of its export (quantization-aware
training).

The features come from an ensemble of different networks. Each batch uses a random subset of them, since a generator
overfits to a fixed set. Additional losses, the squared errors in pixels and features to the images of the adversarial
generator for the same latents, damp oscillations from the lag of the running moments and let a student learn from its
teacher.
"""

import copy
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim import Adam

from training.comparison import Comparison
from training.config import MomentMatching, value_at
from training.data import DataSet
from training.device import Compute
from training.evaluation.baseline import Baseline
from training.features import fit_networks
from training.model import Model, load_model
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import as_saved, classes_of, frozen_copy, update_ema
from training.run import Run

NAME, INDEX = "3-moments", 2


def match_moments(
    config: MomentMatching, model: Model, teacher: Model, data: DataSet, real: Baseline, run: Run, compute: Compute
) -> Model:
    """Fine-tune a copy of a model's generator; returns its EMA copy. Draws from torch's global random state.

    Raises DivergedError for a non-finite loss, and CheckpointError for a checkpoint that does not fit.
    """
    file = run.path / f"{NAME}.safetensors"
    if run.is_past(NAME):
        return load_model(file)

    # --- feature networks, the real images' moments, the generator and its EMA
    seed = model.preset.loop_seed(INDEX)
    networks = fit_networks(data.seen, config.epochs, compute, seed, run.say)
    comparisons = [
        Comparison(network.groups, data.training_split, config, compute, by_class=network.shape.task == "labels")
        for network in networks
    ]
    torch.manual_seed(seed)
    teacher_generator = compute.place(teacher.generator) if config.pixel_error or config.feature_error else None
    generator = compute.place(copy.deepcopy(model.generator)).train().requires_grad_(True)
    ema = frozen_copy(generator)
    drawing = FakeQuantizedGenerator(generator) if model.preset.quantization else generator
    optimizer = Adam(generator.parameters(), betas=config.betas, fused=True)
    running = nn.ModuleList(comparison.running() for comparison in comparisons)
    labels = comparisons[0].labels
    batch_size, one_hot = len(labels), classes_of(generator, labels)
    state = {"generator": generator, "ema": ema, "optimizer": optimizer, "moments": running}
    start = run.begin(NAME, config.steps, config.log_every, batch_size, state)
    for step in range(start, config.steps):
        if step % config.evaluate_every == 0 and isinstance(drawing, FakeQuantizedGenerator):
            drawing.calibrate()
        learning = step * batch_size >= config.memory  # before that, only fill the running moments
        progress = step / config.steps
        for group in optimizer.param_groups:
            group["lr"] = value_at(config.learning_rate, progress)

        # --- data: generated images with 256 grey levels, as users get them, and their features
        latents = torch.randn(batch_size, generator.latent_dim, device=compute.device)
        chosen = torch.randperm(len(comparisons))[: config.networks if learning else None].tolist()
        with nullcontext() if learning else torch.no_grad():
            with compute.autocast():
                images = drawing(latents, *one_hot)  # (N, 1, 28, 28)
            pixels = to_grey_levels(images, generator.image_range)
            features = {index: comparisons[index].features(pixels) for index in chosen}

        # --- generator step, EMA
        if learning:
            loss = torch.stack([comparisons[index].loss(rows) for index, rows in features.items()]).mean()
            if teacher_generator is not None:
                with torch.no_grad():
                    with compute.autocast():
                        teacher_images = teacher_generator(latents, *one_hot)
                    target = to_grey_levels(teacher_images, teacher_generator.image_range)
                    targets = {index: comparisons[index].features(target) for index in chosen}
                errors = torch.stack([(features[index] - targets[index]).square().mean() for index in chosen])
                loss = loss + value_at(config.pixel_error, progress) * (pixels - target).square().mean()
                loss = loss + value_at(config.feature_error, progress) * errors.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            update_ema(ema, generator, config.ema, step * batch_size - config.memory, batch_size)

        # --- running moments
        for index in chosen:
            comparisons[index].update(features[index])

        # --- log, samples, evaluation, checkpoint
        run.log(step + 1, moment_distance=torch.stack([comparisons[index].distance() for index in chosen]).mean())
        if run.is_due(step + 1, config.evaluate_every):
            run.flush(step + 1)
            tuned = replace(model, generator=as_saved(ema), steps=model.steps + step + 1, seconds=run.seconds)
            run.samples(step + 1, tuned.draw())
            run.evaluation(step + 1, real.ratio(tuned.draw(real.target.labels)))
            tuned.save(file)
            run.save(step + 1)
    return load_model(file)


def to_grey_levels(images: Tensor, image_range: tuple[float, float]) -> Tensor:
    """Map images in `image_range` to [0, 1] and round to 256 grey levels, with a straight-through gradient."""
    low, high = image_range
    pixels = (images - low) / (high - low)
    return pixels + ((pixels * 255).round() / 255 - pixels).detach()
