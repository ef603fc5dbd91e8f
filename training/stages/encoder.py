"""An encoder for a frozen generator: images -> latents that reproduce them, and labels.

It learns from generated digits, whose latents are known, and from real digits, which it has to reproduce. A Gaussian
prior keeps their latents where the generator was trained, so that these also give good digits with other labels.

Sources: V. Dumoulin et al., "Adversarially Learned Inference", 2017 (arXiv:1606.00704) and J.-Y. Zhu et al.,
"Generative Visual Manipulation on the Natural Image Manifold", 2016 (arXiv:1609.03552), section 3.1, for encoders of
generators; D. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2014 (arXiv:1312.6114) for the prior.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Adam

from training.augmentation import warp
from training.config import Encoder
from training.networks import build_encoder
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import CLASSES, GeneratorNetwork
from training.networks.inputs import classes_of
from training.schedules import value_at
from training.stages.context import Context
from training.stages.ema import frozen_copy
from training.stages.recorder import Intervals, Recorder
from training.stages.state import TrainingState


def train(stage: Encoder, generators: Sequence[GeneratorNetwork], context: Context) -> GeneratorNetwork:
    """Train an encoder of the last generator; return that generator. The encoder is written to the generator's file.

    Every process must call this. Seeds torch's global random state and draws from it.

    Raises DivergedError for a non-finite loss, TrainingError for a batch that cannot be divided among the processes,
    and CheckpointError for a checkpoint that does not fit.
    """
    world, compute, digits = context.world, context.compute, context.mnist.training_split
    torch.manual_seed(context.seed)
    generator = generators[-1]
    encoder = compute.place(build_encoder(stage.network, generator.latent_dim)).train()
    optimizer = Adam(encoder.parameters(), betas=stage.betas, fused=True)
    recorder = Recorder(
        context,
        TrainingState({"generator": generator, "encoder": encoder}, {"encoder": optimizer}),
        steps=stage.steps,
        batch_size=2 * stage.batch_size,
        intervals=Intervals(stage.log_every, stage.evaluate_every, stage.evaluate_every, stage.evaluate_every),
        exported=lambda: frozen_copy(generator),
        encoder=encoder,
    )
    drawing: GeneratorNetwork = frozen_copy(generator)
    if context.preset.quantization:
        drawing = FakeQuantizedGenerator(drawing)
        drawing.calibrate()

    def draw(latents: Tensor, labels: Tensor) -> Tensor:
        low, high = generator.image_range
        images: Tensor = drawing(latents, *classes_of(generator, labels))  # (N, 1, 28, 28)
        return (images - low) / (high - low)

    while (step := recorder.step) < stage.steps:
        for group in optimizer.param_groups:
            group["lr"] = value_at(stage.learning_rate, step / stage.steps)

        # --- real digits, half of them augmented, and generated ones with 256 grey levels
        rows = torch.randint(len(digits), (stage.batch_size,), device=compute.device)
        images = digits.images[rows].float()
        if stage.augmentation:
            images[::2] = warp(images[::2], stage.augmentation)
        real, labels = world.shard(images[:, None] / 255), world.shard(digits.labels[rows])  # (N, 1, 28, 28), (N,)
        latents = world.shard(torch.randn(stage.batch_size, generator.latent_dim, device=compute.device))
        drawn_labels = world.shard(torch.randint(CLASSES, (stage.batch_size,), device=compute.device))
        with torch.no_grad(), compute.autocast():
            drawn = (draw(latents, drawn_labels) * 255).round() / 255

        # --- encode and draw again
        targets, all_labels = torch.cat([real, drawn]), torch.cat([labels, drawn_labels])
        with compute.autocast():
            found, logits = encoder(targets)
            again = draw(found, all_labels)
        of_real, of_drawn = found[: len(real)], found[len(real) :]
        pixel_errors = (again - targets).square().mean(dim=(1, 2, 3))  # (2 N,)
        pixel_error, latent_error = world.mean(pixel_errors.mean()), world.mean(mse_loss(of_drawn, latents))
        prior, label_error = world.mean(of_real.square().mean()), world.mean(cross_entropy(logits, all_labels))
        loss = (
            2 * pixel_error + stage.latent_error * latent_error + stage.prior * prior + stage.label_error * label_error
        )
        optimizer.zero_grad()
        loss.backward()
        world.sum_gradients(encoder)
        optimizer.step()
        recorder.record(
            reconstruction_error=world.mean(pixel_errors[: len(real)].mean()),
            latent_error=latent_error,
            label_error=label_error,
        )
    return recorder.finish()
