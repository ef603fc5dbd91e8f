"""An encoder for a frozen generator: images -> latents that reproduce them, and labels.

It learns from generated images, whose latents are known, and from real ones, which it has to reproduce. A Gaussian
prior keeps their latents where the generator was trained, so that these also give good images with other labels.

Sources: V. Dumoulin et al., "Adversarially Learned Inference", 2017 (arXiv:1606.00704) and J.-Y. Zhu et al.,
"Generative Visual Manipulation on the Natural Image Manifold", 2016 (arXiv:1609.03552), section 3.1, for encoders of
generators; D. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2014 (arXiv:1312.6114) for the prior.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Adam

from training.config import Encoder, value_at
from training.data import DataSet
from training.device import Compute
from training.evaluation.baseline import Baseline
from training.fit import warp
from training.model import Model, load_model
from training.networks import build_encoder
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import GeneratorNetwork, classes_of, frozen_copy
from training.run import Run

NAME, INDEX = "4-encoder", 3


def train_encoder(config: Encoder, model: Model, data: DataSet, real: Baseline, run: Run, compute: Compute) -> Model:
    """Train an encoder of a model's generator, which stays as it is. Draws from torch's global random state.

    Raises DivergedError for a non-finite loss, and CheckpointError for a checkpoint that does not fit.
    """
    file = run.path / f"{NAME}.safetensors"
    if run.is_past(NAME):
        return load_model(file)

    # --- the encoder, and the generator as it will be exported
    torch.manual_seed(model.preset.loop_seed(INDEX))
    digits, generator = data.training_split, compute.place(model.generator)
    encoder = compute.place(build_encoder(config.network, generator.latent_dim, generator.classes)).train()
    optimizer = Adam(encoder.parameters(), betas=config.betas, fused=True)
    drawing: GeneratorNetwork = frozen_copy(generator)
    if model.preset.quantization:
        drawing = FakeQuantizedGenerator(drawing)
        drawing.calibrate()

    def draw(latents: Tensor, labels: Tensor) -> Tensor:
        low, high = generator.image_range
        images: Tensor = drawing(latents, *classes_of(generator, labels))  # (N, 1, 28, 28)
        return (images - low) / (high - low)

    start = run.begin(
        NAME, config.steps, config.log_every, 2 * config.batch_size, {"encoder": encoder, "optimizer": optimizer}
    )
    for step in range(start, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = value_at(config.learning_rate, step / config.steps)

        # --- data: real images, half of them augmented, and generated ones with 256 grey levels
        rows = torch.randint(len(digits), (config.batch_size,), device=compute.device)
        images = digits.images[rows].float()
        if config.augmentation:
            images[::2] = warp(images[::2], config.augmentation)
        real_images, labels = images[:, None] / 255, digits.labels[rows]  # (N, 1, 28, 28), (N,)
        latents = torch.randn(config.batch_size, generator.latent_dim, device=compute.device)
        drawn_labels = torch.randint(generator.classes, (config.batch_size,), device=compute.device)
        with torch.no_grad(), compute.autocast():
            drawn = (draw(latents, drawn_labels) * 255).round() / 255

        # --- encoder step: encode and draw again
        targets, all_labels = torch.cat([real_images, drawn]), torch.cat([labels, drawn_labels])
        with compute.autocast():
            found, logits = encoder(targets)
            again = draw(found, all_labels)
        of_real, of_drawn = found[: len(rows)], found[len(rows) :]
        pixel_errors = (again - targets).square().mean(dim=(1, 2, 3))  # (2 N,)
        latent_error, label_error = mse_loss(of_drawn, latents), cross_entropy(logits, all_labels)
        loss = (
            2 * pixel_errors.mean()
            + config.latent_error * latent_error
            + config.prior * of_real.square().mean()
            + config.label_error * label_error
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        # --- log, samples, evaluation, checkpoint
        run.log(
            step + 1,
            reconstruction_error=pixel_errors[: len(rows)].mean(),
            latent_error=latent_error,
            label_error=label_error,
        )
        if run.is_due(step + 1, config.evaluate_every):
            run.flush(step + 1)
            encoded = replace(model, encoder=encoder, steps=model.steps + step + 1, seconds=run.seconds)
            run.samples(step + 1, encoded.draw())
            run.evaluation(step + 1, real.ratio(encoded.draw(real.target.labels)))
            encoded.save(file)
            run.save(step + 1)
    return load_model(file)
